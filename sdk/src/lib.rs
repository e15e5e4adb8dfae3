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
//! Both are built with `cargo build --release --target wasm32-wasip2`.
//!
//! * What the task definition grants: [`env()`] and [`secret`] here, files by `std::fs` under their mount,
//!   other hosts by [`client`].
//! * The log is what is printed: `println!` and `eprintln!`, line by line.
//! * An error that is passed on with `?` answers 500 and tells the client nothing; [`Error`] says how to
//!   tell more.
//!
//! Native targets compile too, so that the parts of a handler that need no host can be tested by
//! `cargo test`. What needs the host (the client, sleeping, a body that came in) panics there.

mod body;
pub mod client;
mod environment;
mod error;
#[doc(hidden)]
pub mod exports;
mod job;
mod request;
mod response;

pub use body::Body;
pub use environment::{Secret, env, secret};
pub use error::{Error, Result};
pub use job::{ExitCode, Pause, pause, sleep};
pub use request::Request;
pub use response::Response;

pub use bytes::Bytes;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

/// The function answers the component's HTTP requests.
///
/// It is `async fn(Request) -> Result<Response>`, in a library of crate type `cdylib`. An error answers with
/// the status and message it carries ([`Error`]); a panic answers 502 and is in the task's log.
pub use wharf_sdk_macros::http;

/// The function is what the job or worker runs; the attribute writes `main`.
///
/// It takes nothing or `Vec<String>`, the arguments without the program's name, and returns `Result<()>` or
/// `Result<`[`ExitCode`]`>`. An error is printed to stderr and exits with 1.
pub use wharf_sdk_macros::job;
