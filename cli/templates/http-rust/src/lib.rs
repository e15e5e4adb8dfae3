//! Answers requests: `GET /`, `GET /hello/NAME` and `GET /health`.

use serde::Serialize;
use wharf::routing::get;
use wharf::{Json, Path, Router};

#[derive(Serialize)]
struct Greeting {
    greeting: String,
}

#[wharf::http]
fn app() -> Router {
    Router::new()
        .route("/", get(index))
        .route("/hello/{name}", get(hello))
        .route("/health", get(health))
}

async fn index() -> String {
    format!("{}, world\n", greeting())
}

async fn hello(Path(name): Path<String>) -> Json<Greeting> {
    Json(Greeting {
        greeting: format!("{}, {name}", greeting()),
    })
}

async fn health() -> &'static str {
    "ok\n"
}

/// As `env` in wharf.toml says.
fn greeting() -> String {
    wharf::env("GREETING").unwrap_or_else(|| "hello".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf::test::{self, Host};

    #[test]
    fn it_greets_as_the_environment_says() {
        let host = Host::new().env("GREETING", "good day");
        assert_eq!(host.call(app(), test::get("/")).text(), "good day, world\n");
        let answer = host.call(app(), test::get("/hello/Ada"));
        assert_eq!(answer.text(), r#"{"greeting":"good day, Ada"}"#);
    }

    #[test]
    fn elsewhere_is_nothing() {
        assert_eq!(Host::new().call(app(), test::get("/nowhere")).status(), 404);
    }
}
