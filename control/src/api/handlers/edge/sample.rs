//! A request that need not happen, as it is asked about.

use http::header::HeaderName;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use wharf_gateway::RequestSample;

use crate::api::types::TestRoute;
use crate::refusal::Refusal;

pub(super) fn sample(listener: &str, ask: TestRoute) -> Result<RequestSample, Refusal> {
    let wrong = |field: &str, message: String| Refusal::unprocessable("InvalidSample", message).field(field);
    let mut headers = HeaderMap::new();
    for (at, line) in ask.headers.iter().enumerate() {
        let split = line.split_once(':');
        let parsed = split.and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let (name, value) = parsed.ok_or_else(|| {
            let message = format!("`{}` is no header line, like `x-canary: 1`", line.escape_debug());
            wrong(&format!("headers[{at}]"), message)
        })?;
        headers.append(name, value);
    }
    let method = ask.method.as_deref().unwrap_or("GET");
    let source = ask.source_ip.as_deref().unwrap_or("127.0.0.1");
    let path = ask.path.unwrap_or_else(|| "/".to_owned());
    if !path.starts_with('/') {
        let message = format!("the path `{}` doesn't begin with `/`", path.escape_debug());
        return Err(wrong("path", message));
    }
    let parsed = path.parse::<PathAndQuery>();
    // What comes after `#` is never sent, and is dropped.
    if !parsed.is_ok_and(|parsed| parsed.as_str() == path) {
        let message = format!(
            "the path `{}` is none that a request has: encode what is not sent as it is, like `%20` for a blank",
            path.escape_debug()
        );
        return Err(wrong("path", message));
    }
    let host = ask.host.unwrap_or_default();
    let is_host = |text: &str| !text.contains('@') && text.parse::<http::uri::Authority>().is_ok();
    if !host.is_empty() && !is_host(&host) {
        let message = format!(
            "`{}` is no host of a request, like `api.example.com` or `[::1]:8080`",
            host.escape_debug()
        );
        return Err(wrong("host", message));
    }
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    Ok(RequestSample {
        listener: wharf_gateway::ListenerName::new(listener)
            .map_err(|error| wrong("listener", error.to_string()))?,
        method: Method::from_bytes(method.as_bytes())
            .map_err(|_| wrong("method", format!("`{}` is not a method", method.escape_debug())))?,
        host,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        source: source
            .parse()
            .map_err(|_| wrong("sourceIp", format!("`{}` is no address", source.escape_debug())))?,
    })
}
