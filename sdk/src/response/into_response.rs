//! What a handler may return.

use super::Response;
use crate::{Body, Error, HeaderValue, StatusCode};
use bytes::Bytes;
use http::header::LOCATION;

/// What a handler may return: a response, or what becomes one.
///
/// | value | response |
/// |---|---|
/// | [`Response`] | itself |
/// | `&'static str`, `String` | 200, `text/plain` |
/// | [`Html`] | 200, `text/html` |
/// | [`Json`](crate::Json) | 200, `application/json` |
/// | [`Sse`](crate::Sse) | 200, Server-Sent Events as they come |
/// | `Vec<u8>`, [`Bytes`] | 200, `application/octet-stream` |
/// | [`Body`] | 200, without a content type |
/// | [`Redirect`] | 303, 307 or 308 |
/// | [`StatusCode`], `()` | that status, 200, without a body |
/// | `(StatusCode, value)` | the value's response with that status |
/// | `Result<value, Error>` | the value's response, or the [error's](Error) |
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from a handler",
    note = "return a `wharf::Response`, a text, `wharf::Json(value)`, a `wharf::StatusCode`, or a `wharf::Result` of these"
)]
pub trait IntoResponse {
    /// The response.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::typed("text/plain; charset=utf-8", self.into())
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        Response::typed("application/octet-stream", self.into())
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Bytes::from(self).into_response()
    }
}

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::new(self)
    }
}

impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::new(())
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        Response::new(()).with_status(self)
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

/// A page.
///
/// ```
/// use wharf::Html;
///
/// async fn index() -> Html<&'static str> {
///     Html("<!doctype html><title>Hello</title>")
/// }
/// # let _ = index;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Html<T>(pub T);

impl<T: Into<Body>> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        Response::typed("text/html; charset=utf-8", self.0.into())
    }
}

/// Sends the client elsewhere.
///
/// ```
/// use wharf::Redirect;
///
/// async fn sign() -> Redirect {
///     // After a form was taken: the page is asked for with GET.
///     Redirect::to("/guests")
/// }
/// # let _ = sign;
/// ```
#[derive(Clone, Debug)]
pub struct Redirect {
    status: StatusCode,
    location: String,
}

impl Redirect {
    /// 303: the client asks for that with GET.
    pub fn to(location: impl Into<String>) -> Self {
        Self::with(StatusCode::SEE_OTHER, location)
    }

    /// 307: the client makes the same request there, this once.
    pub fn temporary(location: impl Into<String>) -> Self {
        Self::with(StatusCode::TEMPORARY_REDIRECT, location)
    }

    /// 308: the client makes the same request there, from now on.
    pub fn permanent(location: impl Into<String>) -> Self {
        Self::with(StatusCode::PERMANENT_REDIRECT, location)
    }

    fn with(status: StatusCode, location: impl Into<String>) -> Self {
        Self {
            status,
            location: location.into(),
        }
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        let Ok(location) = HeaderValue::try_from(self.location) else {
            return Error::internal(
                "a redirect's location is not legal in HTTP: is there a line break in it?",
            )
            .into_response();
        };
        let mut response = Response::new(()).with_status(self.status);
        response.headers_mut().insert(LOCATION, location);
        response
    }
}
