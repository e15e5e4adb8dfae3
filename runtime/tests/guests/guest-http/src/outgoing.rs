//! Outgoing requests.

use crate::http::{Query, Reply};
use std::io::Read as _;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};

pub fn fetch(query: &Query, reply: Reply) {
    let url = query.text("url");
    let started: Vec<_> = (0..query.number("n").max(1))
        .map(|_| start(url, query.number("connect_ms")))
        .collect();
    let lines = started.into_iter().map(|request| match request.and_then(finish) {
        Ok((status, body)) => format!("{status} {body}"),
        Err(code) => format!("{code:?}"),
    });
    reply.text(200, &lines.collect::<Vec<_>>().join("\n"));
}

/// A limit of 0 is none.
fn start(url: &str, connect_ms: u64) -> Result<FutureIncomingResponse, ErrorCode> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(ErrorCode::HttpRequestUriInvalid),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request
        .set_path_with_query(Some(if path.is_empty() { "/" } else { path }))
        .map_err(invalid)?;
    let body = request.body().map_err(invalid)?;
    let options = (connect_ms > 0).then(RequestOptions::new);
    if let Some(options) = &options {
        let limit = connect_ms * 1_000_000;
        options.set_connect_timeout(Some(limit)).map_err(invalid)?;
    }
    let response = outgoing_handler::handle(request, options)?;
    OutgoingBody::finish(body, None)?;
    Ok(response)
}

fn finish(pending: FutureIncomingResponse) -> Result<(u16, String), ErrorCode> {
    pending.subscribe().block();
    let response: IncomingResponse = pending.get().expect("it is ready").expect("the first call")?;
    let body = response.consume().expect("the first call");
    let mut bytes = Vec::new();
    let read = body.stream().expect("the first call").read_to_end(&mut bytes);
    if let Err(error) = read {
        return Err(ErrorCode::InternalError(Some(error.to_string())));
    }
    Ok((response.status(), String::from_utf8_lossy(&bytes).into_owned()))
}
