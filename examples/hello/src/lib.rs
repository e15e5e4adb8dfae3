//! Text, JSON and a streamed body.

use serde::Serialize;
use wharf::{Error, Method, Request, Response, Result, StatusCode};

#[derive(Serialize)]
struct Hello {
    greeting: String,
    task: Option<String>,
    revision: Option<String>,
}

#[wharf::http]
async fn handle(request: Request) -> Result<Response> {
    match (request.method(), request.path()) {
        (&Method::GET | &Method::HEAD, "/") => Ok(Response::text(format!("{} from Wharf\n", greeting()))),
        (&Method::GET | &Method::HEAD, "/json") => Response::json(&Hello {
            greeting: greeting(),
            task: wharf::env("WHARF_TASK_ID"),
            revision: wharf::env("WHARF_REVISION"),
        }),
        (&Method::POST | &Method::PUT, "/echo") => echo(request),
        (_, "/" | "/json" | "/echo") => Err(Error::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "GET / and /json, POST /echo",
        )),
        (_, path) => Err(Error::new(
            StatusCode::NOT_FOUND,
            format!("nothing at {path}: try /, /json or /echo"),
        )),
    }
}

fn greeting() -> String {
    wharf::env("GREETING").unwrap_or_else(|| "hello".to_owned())
}

/// The body goes back as it arrives and never enters this component's memory.
fn echo(request: Request) -> Result<Response> {
    let content_type = request
        .header("content-type")
        .unwrap_or("application/octet-stream")
        .to_owned();
    Response::new(request.into_body()).with_header("content-type", content_type)
}
