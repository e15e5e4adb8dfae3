//! What the attributes' code calls. Not part of the API.

use crate::{Error, ExitCode, Request, Response, Result, StatusCode};
use std::future::Future;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
// wstd hides these from its documentation: they are what its own attribute calls.
use wstd::http::{request::try_from_incoming, server::Responder};

pub use wasip2;

/// Serves one request.
pub fn serve<F, R>(request: IncomingRequest, out: ResponseOutparam, handler: F)
where
    F: FnOnce(Request) -> R,
    R: Future<Output = Result<Response>>,
{
    wstd::runtime::block_on(async {
        let answer = match try_from_incoming(request) {
            Ok(request) => handler(request.into()).await,
            Err(error) => Err(Error::new(StatusCode::BAD_REQUEST, "malformed request").with_cause(error)),
        };
        let response = answer.unwrap_or_else(|error| {
            if error.is_for_the_log() {
                eprintln!("error: {error}");
            }
            error.to_response()
        });
        if let Err(error) = Responder::new(out).respond(response.into_wstd()).await {
            eprintln!("error: the response ended early: {error:#}");
        }
    });
}

/// Runs a job to its end.
#[cfg(target_family = "wasm")]
pub fn run<C: Into<ExitCode>>(job: impl Future<Output = Result<C>>) {
    use std::io::Write as _;

    let code = match wstd::runtime::block_on(job) {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    };
    if code != ExitCode::SUCCESS {
        // Leaving this way runs no destructors, so what stdout still holds is written here. It can fail
        // only if nobody reads the log any more.
        let _ = std::io::stdout().flush();
        // `std::process::exit` knows success and failure only.
        wasip2::cli::exit::exit_with_code(code.get());
    }
}

/// Says that a job runs as a component: natively there is no WASI to run it on.
#[cfg(not(target_family = "wasm"))]
pub fn run<C: Into<ExitCode>>(job: impl Future<Output = Result<C>>) {
    drop(job);
    eprintln!(
        "this is a job for Wharf: build it with `--target wasm32-wasip2` and start it with `wharf run`"
    );
    std::process::exit(2);
}
