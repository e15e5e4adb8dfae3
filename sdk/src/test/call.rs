//! A request, put together by a test.

use crate::{Body, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http::header::CONTENT_TYPE;
use serde::Serialize;

/// A request to a handler. What is wrong in it panics.
#[derive(Debug)]
pub struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
}

macro_rules! methods {
    ($($name:ident $method:ident;)*) => {$(
        #[doc = concat!("A ", stringify!($method), " request. The target is a path with its query, or a whole URL.")]
        ///
        /// # Panics
        /// If the target can't be read.
        #[must_use]
        pub fn $name(target: &str) -> Call {
            request(Method::$method, target)
        }
    )*};
}

methods! {
    get GET;
    head HEAD;
    post POST;
    put PUT;
    patch PATCH;
    delete DELETE;
    options OPTIONS;
}

/// A request of any method. The target is a path with its query, or a whole URL.
///
/// # Panics
/// If the target can't be read.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "in native tests only, where it is the way to say it"
)]
pub fn request(method: Method, target: &str) -> Call {
    Call {
        method,
        uri: target.parse().expect("the target is a path or a URL"),
        headers: HeaderMap::new(),
        body: Body::empty(),
    }
}

#[expect(
    clippy::expect_used,
    reason = "in native tests only, where it is the way to say it"
)]
impl Call {
    /// Adds a header.
    ///
    /// # Panics
    /// If it isn't legal in HTTP.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("the header's name is legal in HTTP");
        let value = HeaderValue::try_from(value).expect("the header's value is legal in HTTP");
        self.headers.append(name, value);
        self
    }

    /// Sends that body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends a value as JSON.
    ///
    /// # Panics
    /// If it has no JSON form.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let json = serde_json::to_vec(value).expect("the value has a JSON form");
        self.typed("application/json", json.into())
    }

    /// Sends a form.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.typed("application/x-www-form-urlencoded", form.into())
    }

    fn typed(mut self, content_type: &'static str, body: Body) -> Self {
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body(body)
    }
}

impl From<Call> for Request {
    fn from(call: Call) -> Self {
        Self::known(call.method, call.uri, call.headers, call.body)
    }
}
