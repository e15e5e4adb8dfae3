//! Text, JSON and a streamed body.

use serde::Serialize;
use wharf::routing::{get, post};
use wharf::{Error, Json, Request, Response, Result, Router, StatusCode, Uri};

#[derive(Serialize)]
struct Hello {
    greeting: String,
    task: Option<String>,
    revision: Option<String>,
}

#[wharf::http]
fn app() -> Router {
    Router::new()
        .route("/", get(text))
        .route("/json", get(json))
        .route("/echo", post(echo).put(echo))
        .fallback(elsewhere)
}

async fn text() -> String {
    format!("{} from Wharf\n", greeting())
}

async fn json() -> Json<Hello> {
    Json(Hello {
        greeting: greeting(),
        task: wharf::env("WHARF_TASK_ID"),
        revision: wharf::env("WHARF_REVISION"),
    })
}

fn greeting() -> String {
    wharf::env("GREETING").unwrap_or_else(|| "hello".to_owned())
}

/// The body goes back as it arrives and never enters this component's memory.
async fn echo(request: Request) -> Result<Response> {
    let content_type = request
        .header("content-type")
        .unwrap_or("application/octet-stream")
        .to_owned();
    Response::new(request.into_body()).with_header("content-type", content_type)
}

async fn elsewhere(uri: Uri) -> Error {
    let message = format!("nothing at {}: try /, /json or /echo", uri.path());
    Error::new(StatusCode::NOT_FOUND, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf::test::{self, Host};

    #[test]
    fn it_greets_as_the_environment_says() {
        let host = Host::new().env("GREETING", "good day").env("WHARF_REVISION", "3");
        assert_eq!(host.call(app(), test::get("/")).text(), "good day from Wharf\n");
        let json = host.call(app(), test::get("/json"));
        assert_eq!(
            json.text(),
            r#"{"greeting":"good day","task":null,"revision":"3"}"#
        );
    }

    #[test]
    fn a_body_comes_back_as_it_went() {
        let call = test::post("/echo").header("content-type", "text/csv").body("a,b");
        let answer = Host::new().call(app(), call);
        assert_eq!(
            (answer.header("content-type"), answer.text()),
            (Some("text/csv"), "a,b")
        );
    }

    #[test]
    fn elsewhere_is_nothing() {
        let answer = Host::new().call(app(), test::get("/nowhere?x"));
        let expected = r#"{"error":"nothing at /nowhere: try /, /json or /echo"}"#;
        assert_eq!(
            (answer.status(), answer.text()),
            (StatusCode::NOT_FOUND, expected)
        );
    }
}
