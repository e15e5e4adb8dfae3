//! Write functions, jobs and workers for Wharf.
//!
//! A function answers HTTP requests. It is a library of crate type `cdylib`:
//!
//! ```no_run
//! use wharf::{Request, Response, Result};
//!
//! #[wharf::http]
//! async fn handle(request: Request) -> Result<Response> {
//!     let name = request.query("name").unwrap_or("world".into());
//!     Ok(Response::text(format!("hello, {name}\n")))
//! }
//! ```
//!
//! With several paths it is a [`Router`] of handlers, whose arguments are [made of the request](FromRequest) and whose
//! results [become responses](IntoResponse):
//!
//! ```
//! use wharf::{Json, Path, Result, Router, routing::get};
//!
//! #[derive(serde::Serialize)]
//! struct Square { of: i64, is: i64 }
//!
//! async fn square(Path(of): Path<i64>) -> Result<Json<Square>> {
//!     Ok(Json(Square { of, is: of * of }))
//! }
//!
//! #[wharf::http]
//! fn app() -> Router {
//!     Router::new().route("/squares/{of}", get(square))
//! }
//!
//! // In a test, natively:
//! let host = wharf::test::Host::new();
//! assert_eq!(host.call(app(), wharf::test::get("/squares/7")).text(), r#"{"of":7,"is":49}"#);
//! assert_eq!(host.call(app(), wharf::test::get("/squares/x")).status(), 400);
//! ```
//!
//! A job runs to its end and has an exit code; a worker is a job that goes on. Both are programs:
//!
//! ```no_run
//! #[wharf::job]
//! async fn run(args: Vec<String>) -> wharf::Result<()> {
//!     println!("called with {args:?}");
//!     Ok(())
//! }
//! ```
//!
//! All are built with `cargo build --release --target wasm32-wasip2`.
//!
//! * What the task definition grants: [`env()`] and [`secret`] here, files by `std::fs` under their mount,
//!   other hosts by [`client`].
//! * What the service keeps, without being granted anything: [`kv`].
//! * An error that is passed on with `?` answers 500, tells the client nothing and is in the log; [`Error`] says how to
//!   tell more. What the client sent wrong is answered 400, 413, 415 or 422, and the answer says what and where.
//! * Streaming: a [`Body`] is read chunk by chunk and made by a stream or a function, [`Sse`] sends events.
//! * Around handlers: [`Router::layer`] and [`State`]. How much time is left: [`Deadline`].
//! * Tests run natively in a [`test::Host`], with an environment, secrets, services and data that it pretends. Elsewhere in
//!   native code what needs a host (the client, [`kv`], sleeping) panics.
//!
//! # The log
//!
//! What is printed is in the task's log, line by line. So are the events of the [`tracing`](https://docs.rs/tracing) crate
//! (version 0.1, `default-features = false` keeps it small), with level, fields and the ids of trace and request, each as a
//! line of JSON on stderr:
//!
//! ```text
//! {"level":"warn","message":"slow","target":"weather","traceId":"4bf92f…","requestId":"01J…","span":"look_up","fields":{"city":"Oslo","ms":812}}
//! ```
//!
//! The errors that clients are told nothing of are such lines, too. `LOG_LEVEL` under `env` in `wharf.toml` says how much
//! is told: `off`, `error`, `warn`, `info` (if it isn't set), `debug` or `trace`.

mod body;
pub mod client;
mod environment;
mod error;
#[doc(hidden)]
pub mod exports;
mod extract;
mod handler;
mod host;
mod job;
pub mod kv;
mod log;
mod request;
mod response;
pub mod routing;
mod sse;
#[cfg(not(target_family = "wasm"))]
pub mod test;

pub use body::{Body, Sender};
pub use environment::{Secret, env, secret};
pub use error::{Error, Result};
pub use extract::{Form, FromRequest, FromRequestParts, Json, Path, Query, State, WithBody, WithoutBody};
pub use handler::Handler;
pub use job::{ExitCode, Pause, pause, sleep};
pub use request::{Deadline, Extensions, Request};
pub use response::{Html, IntoResponse, Redirect, Response};
pub use routing::{Next, Router};
pub use sse::{Event, Sse};

pub use bytes::Bytes;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

/// The function answers the component's HTTP requests: in a library of crate type `cdylib`.
///
/// It is a [`Handler`], such as `async fn(Request) -> Result<Response>`; or it takes nothing and makes one, such as
/// `fn() -> Router`. What it makes is kept as long as the instance: for one request, or with `isolation = "task"` for many.
/// An error answers with the status and message it carries ([`Error`]); a panic answers 502 and is in the task's log.
pub use wharf_sdk_macros::http;

/// The function is what the job or worker runs; the attribute writes `main`.
///
/// It takes nothing or `Vec<String>`, the arguments without the program's name, and returns `Result<()>` or
/// `Result<`[`ExitCode`]`>`. An error is printed to stderr and exits with 1.
pub use wharf_sdk_macros::job;
