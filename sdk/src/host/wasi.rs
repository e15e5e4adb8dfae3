//! WASI 0.2: requests come in and go out, bodies are read, written and passed on.
//!
//! The executor, the pollables and the two kinds of streams are wstd's. Its HTTP types are not used: they want
//! streams that are `Send`, trap on a header that the host refuses, and cost 30 KiB.

#[rustfmt::skip]
#[expect(
    unsafe_code,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
mod bindings;
pub(crate) mod kv;

use crate::body::Cause;
use crate::client::{self, Outgoing};
use crate::{
    Body, Error, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Result, StatusCode, Uri,
};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::uri::PathAndQuery;
use std::env::VarError;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingRequest, IncomingResponse,
    Method as WasiMethod, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam,
    Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};
use wstd::io::{AsyncInputStream, AsyncOutputStream};
use wstd::runtime::{AsyncPollable, Task};

/// The most that is read at once.
const MAX_CHUNK: u64 = 64 * 1024;

/// Time since some moment before the program began.
pub(crate) fn now() -> Duration {
    Duration::from_nanos(monotonic_clock::now())
}

pub(crate) async fn sleep(duration: Duration) {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    AsyncPollable::new(monotonic_clock::subscribe_duration(nanoseconds))
        .wait_for()
        .await;
}

/// Any number: for back-off, not for secrets.
pub(crate) fn random() -> u64 {
    wasip2::random::insecure::get_insecure_random_u64()
}

pub(crate) fn env_var(name: &str) -> Result<String, VarError> {
    std::env::var(name)
}

/// Writes a line in one call, so that no other comes in between.
pub(crate) fn log_line(mut line: String) {
    line.push('\n');
    // It can fail only if nobody reads the log any more.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Ends when the server wants the task to stop: it ends stdin then.
pub(crate) async fn stopping() {
    let stdin = AsyncInputStream::new(wasip2::cli::stdin::get_stdin());
    let mut ignored = [0; 64];
    // 0 is the end; an error means that nothing will come any more either.
    while let Ok(1..) = stdin.read(&mut ignored).await {}
}

/// A body that comes in. Nothing is asked of the host before somebody wants it.
#[derive(Debug)]
pub(crate) struct Incoming {
    state: State,
    /// Of an answer: the request's body, which is sent as long as the answer is there.
    _upload: Option<Upload>,
}

#[derive(Debug)]
enum State {
    Unread(Rc<IncomingRequest>),
    Reading(Reading),
}

/// The stream is before the body it belongs to, because it has to be dropped first.
#[derive(Debug)]
struct Reading {
    stream: InputStream,
    body: IncomingBody,
    /// As it was declared, as long as nothing was read.
    length: Option<u64>,
}

type Upload = Task<Result<(), Cause>>;

impl Reading {
    fn new(body: IncomingBody, length: Option<u64>) -> Result<Self, Cause> {
        let stream = body.stream().map_err(|()| "the body was taken before")?;
        Ok(Self { stream, body, length })
    }
}

impl Incoming {
    /// The whole length, as long as nothing was read of it.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.state {
            State::Unread(request) => length_in(&request.headers()),
            State::Reading(reading) => reading.length,
        }
    }

    /// The next bytes, none at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Cause> {
        let reading = self.reading()?;
        reading.length = None;
        loop {
            match reading.stream.read(MAX_CHUNK) {
                Ok(bytes) if bytes.is_empty() => {
                    AsyncPollable::new(reading.stream.subscribe()).wait_for().await;
                }
                Ok(bytes) => return Ok(Some(bytes.into())),
                Err(StreamError::Closed) => return Ok(None),
                Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string().into()),
            }
        }
    }

    fn reading(&mut self) -> Result<&mut Reading, Cause> {
        if let State::Unread(request) = &self.state {
            let body = request.consume().map_err(|()| "the body was taken before")?;
            self.state = State::Reading(Reading::new(body, None)?);
        }
        match &mut self.state {
            State::Reading(reading) => Ok(reading),
            State::Unread(_) => Err("the body was not taken".into()),
        }
    }

    /// The rest goes out without entering this component's memory; trailers go with it.
    async fn pass_on(mut self, out: &AsyncOutputStream) -> Result<Option<Fields>, Cause> {
        self.reading()?;
        let State::Reading(reading) = self.state else {
            return Ok(None);
        };
        let stream = AsyncInputStream::new(reading.stream);
        stream.copy_to(out).await?;
        drop(stream);
        let trailers = IncomingBody::finish(reading.body);
        AsyncPollable::new(trailers.subscribe()).wait_for().await;
        match trailers.get() {
            Some(Ok(Ok(trailers))) => Ok(trailers),
            _ => Err("the trailers did not arrive".into()),
        }
    }
}

fn length_in(fields: &Fields) -> Option<u64> {
    let values = fields.get(CONTENT_LENGTH.as_str());
    std::str::from_utf8(values.first()?).ok()?.parse().ok()
}

/// The first header of that name, if it is text.
pub(crate) fn header_of(incoming: &IncomingRequest, name: &str) -> Option<String> {
    String::from_utf8(incoming.headers().get(name).into_iter().next()?).ok()
}

/// The request that the host hands over. Its headers are read when somebody asks for one: they are half of what a small
/// request costs. So is its whole URI.
pub(crate) fn request_of(incoming: &Rc<IncomingRequest>) -> Result<Request> {
    let malformed =
        |error: http::Error| Error::new(StatusCode::BAD_REQUEST, "malformed request").with_cause(error);
    let method = method_of(incoming.method()).map_err(malformed)?;
    let target = target_of(incoming).map_err(malformed)?;
    let (located, source) = (Rc::clone(incoming), Rc::clone(incoming));
    let path = target.clone();
    let body = Incoming {
        state: State::Unread(Rc::clone(incoming)),
        _upload: None,
    };
    Ok(Request::new(
        method,
        target,
        move || uri_of(&located, path),
        move || headers_of(&source.headers()),
        Body::incoming(body),
    ))
}

fn method_of(method: WasiMethod) -> Result<Method, http::Error> {
    Ok(match method {
        WasiMethod::Get => Method::GET,
        WasiMethod::Head => Method::HEAD,
        WasiMethod::Post => Method::POST,
        WasiMethod::Put => Method::PUT,
        WasiMethod::Delete => Method::DELETE,
        WasiMethod::Connect => Method::CONNECT,
        WasiMethod::Options => Method::OPTIONS,
        WasiMethod::Trace => Method::TRACE,
        WasiMethod::Patch => Method::PATCH,
        WasiMethod::Other(name) => Method::from_bytes(name.as_bytes())?,
    })
}

fn target_of(incoming: &IncomingRequest) -> Result<PathAndQuery, http::Error> {
    match incoming.path_with_query() {
        Some(target) => Ok(target.try_into()?),
        None => Ok(PathAndQuery::from_static("/")),
    }
}

/// Without its authority where that is none to the `http` crate: the host has checked it.
fn uri_of(incoming: &IncomingRequest, target: PathAndQuery) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(target.clone());
    parts.authority = incoming
        .authority()
        .and_then(|authority| authority.try_into().ok());
    // The one goes only with the other.
    if parts.authority.is_some() {
        parts.scheme = Some(match incoming.scheme() {
            Some(Scheme::Https) => http::uri::Scheme::HTTPS,
            _ => http::uri::Scheme::HTTP,
        });
    }
    Uri::from_parts(parts).unwrap_or_else(|_| target.into())
}

/// The host has checked them; what is none to the `http` crate all the same is left out.
fn headers_of(fields: &Fields) -> HeaderMap {
    let entries = fields.entries();
    let mut headers = HeaderMap::with_capacity(entries.len());
    for (name, value) in entries {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::try_from(value),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

fn fields_of(headers: &HeaderMap) -> Result<Fields, Cause> {
    let entries: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    Fields::from_list(&entries)
        .map_err(|_| "the host refuses a header: one of them is the server's to set".into())
}

/// Sends the response and its body. An error after the head cuts the body short, which the client notices.
pub(crate) async fn respond(out: ResponseOutparam, response: Response) -> Result<(), Cause> {
    let (status, headers, body) = response.into_parts();
    let fields = match fields_of(&headers) {
        Ok(fields) => fields,
        Err(error) => {
            ResponseOutparam::set(out, Err(ErrorCode::InternalError(None)));
            return Err(error);
        }
    };
    let outgoing = OutgoingResponse::new(fields);
    outgoing
        .set_status_code(status.as_u16())
        .map_err(|()| "the host refuses the status")?;
    let outgoing_body = outgoing.body().map_err(|()| "the body was taken before")?;
    ResponseOutparam::set(out, Ok(outgoing));
    write(body, outgoing_body).await
}

async fn write(body: Body, outgoing: OutgoingBody) -> Result<(), Cause> {
    let stream = outgoing.write().map_err(|()| "the body was taken before")?;
    let stream = AsyncOutputStream::new(stream);
    let trailers = match body.into_incoming() {
        Ok(incoming) => incoming.pass_on(&stream).await?,
        Err(mut body) => {
            while let Some(chunk) = body.next().await? {
                if !chunk.is_empty() {
                    stream.write_all(&chunk).await?;
                }
            }
            None
        }
    };
    drop(stream);
    // Not with the code's own words: those of all codes together are 5 KiB.
    OutgoingBody::finish(outgoing, trailers)
        .map_err(|_| "it is not as long as its content-length says".into())
}

/// Sends a request and waits for the head of its answer.
pub(crate) async fn send(request: Outgoing) -> Result<http::Response<Body>, client::Error> {
    let place = request.place();
    let failed = |code: &ErrorCode| client::Error::from_code(place.clone(), code);
    let refused = |what: &str| client::Error::invalid(place.clone(), what);
    let fields = fields_of(&request.headers).map_err(|error| refused(&error.to_string()))?;
    let outgoing = OutgoingRequest::new(fields);
    address(&outgoing, &request).map_err(|()| refused("the host refuses the method or the URL"))?;
    let taken = |()| refused("the body was taken before");
    let outgoing_body = outgoing.body().map_err(taken)?;
    let options = RequestOptions::new();
    let nanoseconds = u64::try_from(request.timeout.as_nanos()).unwrap_or(u64::MAX);
    // A host without that limit waits longer; the one for the head is the SDK's own.
    let _ = options.set_between_bytes_timeout(Some(nanoseconds));
    let answer = outgoing_handler::handle(outgoing, Some(options)).map_err(|code| failed(&code))?;
    // The answer may begin before the body has ended, and what became of the body is in the answer.
    let upload = wstd::runtime::spawn(write(request.body, outgoing_body));
    let answer = arrival(&answer).await.map_err(|code| failed(&code))?;
    received(&answer, upload).map_err(|error| client::Error::unusable(place.clone(), &error.to_string()))
}

fn address(outgoing: &OutgoingRequest, request: &Outgoing) -> Result<(), ()> {
    let scheme = match request.uri.scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    outgoing.set_method(&wasi_method(&request.method))?;
    outgoing.set_scheme(Some(&scheme))?;
    outgoing.set_authority(request.uri.authority().map(http::uri::Authority::as_str))?;
    outgoing.set_path_with_query(request.uri.path_and_query().map(PathAndQuery::as_str))
}

fn wasi_method(method: &Method) -> WasiMethod {
    match method.as_str() {
        "GET" => WasiMethod::Get,
        "HEAD" => WasiMethod::Head,
        "POST" => WasiMethod::Post,
        "PUT" => WasiMethod::Put,
        "DELETE" => WasiMethod::Delete,
        "CONNECT" => WasiMethod::Connect,
        "OPTIONS" => WasiMethod::Options,
        "TRACE" => WasiMethod::Trace,
        "PATCH" => WasiMethod::Patch,
        other => WasiMethod::Other(other.to_owned()),
    }
}

async fn arrival(answer: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    AsyncPollable::new(answer.subscribe()).wait_for().await;
    match answer.get() {
        Some(Ok(arrived)) => arrived,
        _ => Err(ErrorCode::InternalError(Some("no answer".to_owned()))),
    }
}

fn received(answer: &IncomingResponse, upload: Upload) -> Result<http::Response<Body>, Cause> {
    let fields = answer.headers();
    let body = answer.consume().map_err(|()| "the body was taken before")?;
    let body = Incoming {
        state: State::Reading(Reading::new(body, length_in(&fields))?),
        _upload: Some(upload),
    };
    let mut response = http::Response::new(Body::incoming(body));
    *response.status_mut() = StatusCode::from_u16(answer.status())?;
    *response.headers_mut() = headers_of(&fields);
    Ok(response)
}
