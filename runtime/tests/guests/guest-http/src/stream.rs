//! Behaviours about time and bodies.

use crate::http::{Query, Reply, wait_ms};
use wasip2::http::types::{Fields, IncomingRequest};
use wasip2::io::streams::StreamError;

const CHUNK: usize = 64 * 1024;

pub fn echo(request: &IncomingRequest, reply: Reply) {
    let incoming = request.consume().expect("the first call");
    let input = incoming.stream().expect("the first call");
    let body = reply.start(200, Fields::new());
    loop {
        match body.stream.blocking_splice(&input, CHUNK as u64) {
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                eprintln!("the request's body failed: {}", error.to_debug_string());
                return;
            }
        }
    }
    drop(input);
    body.finish();
}

pub fn body_length(request: &IncomingRequest, reply: Reply) {
    let incoming = request.consume().expect("the first call");
    let input = incoming.stream().expect("the first call");
    let mut length = 0_usize;
    loop {
        match input.blocking_read(CHUNK as u64) {
            Ok(chunk) => length += chunk.len(),
            Err(StreamError::Closed) => return reply.text(200, &length.to_string()),
            Err(StreamError::LastOperationFailed(error)) => {
                let error = error.to_debug_string();
                return reply.text(400, &format!("failed after {length} bytes: {error}"));
            }
        }
    }
}

pub fn big(query: &Query, reply: Reply) {
    let chunk = [b'b'; CHUNK];
    let mut body = reply.start(200, Fields::new());
    for _ in 0..query.number("mib") * (1024 * 1024 / CHUNK as u64) {
        body.write(&chunk);
    }
    body.flush();
    body.finish();
}

pub fn sleep(query: &Query, reply: Reply) {
    wait_ms(query.number("ms"));
    reply.text(200, "slept");
}

pub fn after_response(query: &Query, reply: Reply) {
    reply.text(200, "answered");
    wait_ms(query.number("ms"));
    println!("after the response");
}

pub fn never_end(reply: Reply) {
    let mut body = reply.start(200, Fields::new());
    body.write(b"first\n");
    body.flush();
    loop {
        wait_ms(60_000);
    }
}
