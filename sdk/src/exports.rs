//! What the attributes' code calls. Not part of the API.

use crate::{ExitCode, Handler, Result};
use std::future::Future;

pub use wasip2;

/// Serves one request.
#[cfg(target_family = "wasm")]
pub fn serve<H: Handler<M>, M>(
    request: wasip2::http::types::IncomingRequest,
    out: wasip2::http::types::ResponseOutparam,
    handler: &H,
) {
    use crate::{IntoResponse as _, host, log};
    use std::rc::Rc;

    log::install();
    let request = Rc::new(request);
    wstd::runtime::block_on(async {
        // To the end of the response's body: what makes it may log, too.
        let known = Rc::clone(&request);
        let _answering = log::Answering::new(move |name| host::header_of(&known, name));
        let request = host::request_of(&request);
        let response = match request {
            Ok(request) => handler.call(request).await,
            Err(error) => error.into_response(),
        };
        if let Err(error) = host::respond(out, response).await {
            log::error_text(format_args!("the response was not sent to its end: {error}"));
        }
    });
}

/// Natively there is nothing to serve: says at least whether it is a handler.
pub const fn check<H: Handler<M>, M>(_: &H) {}

/// Runs a job to its end.
#[cfg(target_family = "wasm")]
pub fn run<C: Into<ExitCode>>(job: impl Future<Output = Result<C>>) {
    use crate::log;
    use std::io::Write as _;

    log::install();
    let code = match wstd::runtime::block_on(job) {
        Ok(code) => code.into(),
        Err(error) => {
            // Plainly: whoever started the job reads it on a terminal.
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
