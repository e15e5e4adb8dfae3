//! HTTP/2 heads. They say where a body ends in frames, which nobody can mistake; but for an HTTP/1 target the head is
//! written anew, so it is judged as the one that such a target would get.

use http::{HeaderValue, header, request::Parts};
use http_body::Body;

use super::{
    Refused,
    request_line::{RequestLine, Version, has_form},
    resembles,
    verdict::Verdict,
};
use crate::{config::DesyncMode, error::Cause, inspect::Reason};

/// Classifies a head, and takes off what would have a second reading.
pub(crate) fn judge_http2(head: &mut Parts, body: &impl Body, mode: DesyncMode) -> Result<Reason, Refused> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    if !has_form(head.method.as_str().as_bytes(), target.as_bytes()) {
        return Err(refused(Reason::BadUri));
    }
    let mut verdict = Verdict::default();
    let mut imitations = Vec::new();
    for (name, value) in &head.headers {
        if name == header::CONTENT_LENGTH {
            verdict.content_length(value.as_bytes());
        } else if let Some(field) = resembles(name.as_str().as_bytes()) {
            verdict.note(Reason::SuspiciousHeader);
            verdict.imitation(field, value.as_bytes());
            imitations.push(name.clone());
        }
    }
    if verdict.length().is_none() && !body.is_end_stream() {
        // HTTP/1 has no other way to say it.
        verdict.chunked();
    }
    verdict.framing(Some(&RequestLine {
        method: head.method.as_str().as_bytes(),
        target: target.as_bytes(),
        version: Version::Http11,
        reason: Reason::Compliant,
        mend: false,
    }))?;
    if !verdict.reason.class().passes(mode) {
        return Err(refused(verdict.reason));
    }
    for name in imitations {
        head.headers.remove(name);
    }
    if verdict.mend
        && let Some(length) = verdict.length()
    {
        // Once, however often it was said.
        let length = HeaderValue::from(length);
        head.headers.insert(header::CONTENT_LENGTH, length);
    }
    Ok(verdict.reason)
}

fn refused(reason: Reason) -> Refused {
    Refused {
        cause: Cause::Malformed(reason.text()),
        reason,
    }
}

#[cfg(test)]
mod tests;
