//! Guests that try what a well-meaning one never does.

use wasip2::cli::stdout::get_stdout;
use wasip2::http::types::{ErrorCode, Fields, Method, OutgoingRequest};

use crate::http::{Query, Reply, wait_ms};

/// Makes `n` requests whose method is a string of `kib` KiB, and keeps them.
pub fn methods(query: &Query, reply: Reply) {
    let text = "A".repeat(query.number("kib") as usize * 1024);
    let mut held = Vec::new();
    for _ in 0..query.number("n") {
        let request = OutgoingRequest::new(Fields::new());
        if request.set_method(&Method::Other(text.clone())).is_err() {
            break;
        }
        held.push(request);
    }
    reply.text(200, &held.len().to_string());
}

/// Sets each part of a request to a text of `len` bytes, and says which were refused.
pub fn parts(query: &Query, reply: Reply) {
    let text = "a".repeat(query.number("len") as usize);
    let request = OutgoingRequest::new(Fields::new());
    let set = [
        ("method", request.set_method(&Method::Other(text.clone()))),
        ("authority", request.set_authority(Some(&text))),
        (
            "path",
            request.set_path_with_query(Some(&format!("/{}", &text[1..]))),
        ),
    ];
    let refused = set.iter().filter(|(_, result)| result.is_err());
    reply.text(200, &refused.map(|(part, _)| *part).collect::<Vec<_>>().join(" "));
}

/// Makes `n` header blocks of `kib` KiB, and keeps them.
pub fn fields(query: &Query, reply: Reply) {
    let value = vec![b'h'; query.number("kib") as usize * 1024];
    let mut held = Vec::new();
    for _ in 0..query.number("n") {
        let fields = Fields::new();
        if fields.append("x", &value).is_err() {
            break;
        }
        held.push(fields);
    }
    reply.text(200, &held.len().to_string());
}

/// One write of far more than was permitted.
pub fn large_write(reply: Reply) {
    let written = get_stdout().write(&vec![b'\n'; 100 * 1024]);
    reply.text(200, &format!("{written:?}"));
}

/// An error code instead of a response, with the guest's own words in it.
pub fn error_code(query: &Query, reply: Reply) {
    reply.error(ErrorCode::InternalError(Some(query.text("text").to_owned())));
}

/// A whole answer with its length, then more work.
pub fn work_after_sized(query: &Query, reply: Reply) {
    reply.with(200, &[("content-length", "2")], b"ok");
    wait_ms(query.number("ms"));
    println!("after the response");
}

/// An answer without a body, then more work.
pub fn work_after_empty(query: &Query, reply: Reply) {
    reply.empty(202);
    wait_ms(query.number("ms"));
    println!("after the response");
}

/// An answer that ends in trailers, then more work.
pub fn work_after_trailers(query: &Query, reply: Reply) {
    let mut body = reply.start(200, Fields::new());
    body.write(b"ok");
    body.flush();
    let trailers = Fields::new();
    trailers.append("x-sum", b"2").unwrap();
    body.finish_with(Some(trailers));
    wait_ms(query.number("ms"));
    println!("after the response");
}

/// More output than is kept, then a trap.
pub fn flood_then_trap() {
    let line = "x".repeat(1000);
    for _ in 0..8000 {
        eprintln!("{line}");
    }
    crate::limits::trap_on_purpose();
}
