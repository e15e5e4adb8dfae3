//! What the SDK does only in a component: bodies, events, outgoing requests, the log. The rest of it is tested natively.
//!
//! | path | answer |
//! |---|---|
//! | `GET /items/{id}` | `{"id":…}` |
//! | `POST /upper` | the body in capitals, chunk by chunk |
//! | `POST /echo` | the body, passed on unread |
//! | `GET /events` | three events |
//! | `GET /time` | milliseconds that are left |
//! | `GET /log` | after an event of `tracing` and an error that nobody is told |
//! | `GET /fetch?url=` | tries of a GET of the URL, and the answer's status and body |
//! | `POST /send?url=` | what the URL answers to the body, passed on |
//! | `GET /busy` | 503 at an instance's first time, then how often it was asked |
//! | `GET /uri` | the request's URI |
//! | `GET /kv` | what came of everything there is to do with data |
//! | `GET /forbidden` | a response with a header that is the server's |

use serde::Serialize;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wharf::client::{self, Retry};
use wharf::kv;
use wharf::routing::{get, post};
use wharf::{
    Body, Deadline, Error, Event, HeaderValue, Json, Path, Request, Response, Result, Router, Sse, State,
    StatusCode, Uri,
};

/// How often an instance was asked.
type Asked = Rc<Cell<u32>>;

#[wharf::http]
fn app() -> Router {
    Router::new()
        .route("/items/{id}", get(item))
        .route("/upper", post(upper))
        .route("/echo", post(async |body: Body| body))
        .route("/events", get(events))
        .route("/time", get(time))
        .route("/log", get(log))
        .route("/fetch", get(fetch))
        .route("/send", post(send))
        .route("/busy", get(busy))
        .route("/kv", get(data))
        .route("/forbidden", get(forbidden))
        .route("/uri", get(async |uri: Uri| uri.to_string()))
        .with_state(Asked::default())
}

#[derive(Serialize)]
struct Item {
    id: u32,
}

async fn item(Path(id): Path<u32>) -> Json<Item> {
    Json(Item { id })
}

async fn upper(mut body: Body) -> Body {
    Body::generate(async move |out| {
        while let Some(chunk) = body.chunk().await? {
            out.send(chunk.to_ascii_uppercase()).await;
        }
        Ok(())
    })
}

async fn events() -> Sse {
    Sse::generate(async |events| {
        for n in 1..=3 {
            events.send(Event::data(n.to_string())).await;
            wharf::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    })
}

async fn time(deadline: Deadline) -> String {
    let left = deadline.remaining().unwrap_or_default();
    left.as_millis().to_string()
}

async fn log() -> Result<()> {
    tracing::warn!(city = "Oslo", "slow");
    tracing::debug!("not told");
    Err(Error::internal("the shelf is empty"))
}

fn url(request: &Request) -> Result<String> {
    let url = request.query("url").map(String::from);
    url.ok_or_else(|| Error::new(StatusCode::BAD_REQUEST, "which url?"))
}

async fn fetch(request: Request) -> Result<String> {
    let answer = client::get(url(&request)?)
        .retry(Retry::times(1))
        .until(request.deadline())
        .send()
        .await?;
    Ok(format!("{} {}", answer.status().as_u16(), answer.text().await?))
}

async fn send(request: Request) -> Result<Body> {
    let url = url(&request)?;
    Ok(client::post(url)
        .body(request.into_body())
        .send()
        .await?
        .into_body())
}

async fn busy(State(asked): State<Asked>) -> (StatusCode, String) {
    asked.set(asked.get() + 1);
    let status = match asked.get() {
        1 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (status, asked.get().to_string())
}

#[derive(Serialize)]
struct Data {
    visits: i64,
    is_first: bool,
    expired: Option<u32>,
    all: Vec<i64>,
    listed: Vec<(String, i64)>,
    was_there: bool,
    too_large: String,
    no_number: String,
}

async fn data() -> Result<Json<Data>> {
    let visits = kv::increment("visits", 1).await?;
    kv::set(&format!("log/{visits}"), &visits).await?;
    kv::expiring(Duration::from_millis(1)).set("soon", &1).await?;
    wharf::sleep(Duration::from_millis(20)).await;
    let all = kv::update("all", |all: Option<Vec<i64>>| {
        let mut all = all.unwrap_or_default();
        all.push(visits);
        all
    });
    let mut listed = Vec::new();
    let mut log = kv::list("log/").limit(1);
    loop {
        let page = log.page().await?;
        listed.extend(page.entries.into_iter().map(|entry| (entry.key, entry.value)));
        let Some(last) = page.next else { break };
        log = log.after(last);
    }
    kv::set_bytes("bytes", b"none of the kind").await?;
    let too_large = kv::set_bytes("large", vec![0; 1 << 20]).await;
    let no_number = kv::increment("bytes", 1).await;
    Ok(Json(Data {
        visits,
        is_first: kv::swap("first", None, &visits).await?.is_some(),
        expired: kv::get("soon").await?,
        all: all.await?,
        listed,
        was_there: kv::delete("bytes").await?,
        too_large: too_large.map_or_else(|error| error.to_string(), |_| String::new()),
        no_number: no_number.map_or_else(|error| error.to_string(), |_| String::new()),
    }))
}

async fn forbidden() -> Response {
    let mut response = Response::text("never sent");
    response
        .headers_mut()
        .insert("transfer-encoding", HeaderValue::from_static("chunked"));
    response
}
