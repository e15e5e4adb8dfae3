//! Which handler answers, by method.

use crate::handler::{AnyHandler, boxed};
use crate::{Error, Handler, HeaderValue, IntoResponse, Method, Request, Response, StatusCode};
use http::header::ALLOW;
use std::fmt;

/// The handlers of a path, by method.
#[derive(Default)]
pub struct MethodRouter {
    handlers: Vec<(Method, Box<dyn AnyHandler>)>,
    any: Option<Box<dyn AnyHandler>>,
}

/// What begins a list of handlers, and what goes on with it.
macro_rules! methods {
    ($($name:ident $method:ident;)*) => {
        $(
            #[doc = concat!("Answers ", stringify!($method), ".")]
            pub fn $name<H: Handler<M>, M: 'static>(handler: H) -> MethodRouter {
                on(Method::$method, handler)
            }
        )*

        impl MethodRouter {
            $(
                #[doc = concat!("Answers ", stringify!($method), " as well.")]
                #[must_use]
                pub fn $name<H: Handler<M>, M: 'static>(self, handler: H) -> Self {
                    self.on(Method::$method, handler)
                }
            )*
        }
    };
}

methods! {
    get GET;
    post POST;
    put PUT;
    patch PATCH;
    delete DELETE;
}

/// Answers that method.
pub fn on<H: Handler<M>, M: 'static>(method: Method, handler: H) -> MethodRouter {
    MethodRouter::default().on(method, handler)
}

/// Answers every method.
pub fn any<H: Handler<M>, M: 'static>(handler: H) -> MethodRouter {
    MethodRouter {
        handlers: Vec::new(),
        any: Some(boxed(handler)),
    }
}

impl MethodRouter {
    /// Answers that method as well.
    ///
    /// # Panics
    /// If there is a handler for it: a mistake in the program.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a mistake in the program, which every start would meet"
    )]
    pub fn on<H: Handler<M>, M: 'static>(mut self, method: Method, handler: H) -> Self {
        let one = MethodRouter {
            handlers: vec![(method, boxed(handler))],
            any: None,
        };
        if let Err(mistake) = self.merge(one) {
            panic!("{mistake}");
        }
        self
    }

    pub(super) fn merge(&mut self, other: Self) -> Result<(), String> {
        if self.any.is_some() && other.any.is_some() {
            return Err("there are two handlers for any method".to_owned());
        }
        if let Some((method, _)) = other
            .handlers
            .iter()
            .find(|(method, _)| self.find(method).is_some())
        {
            return Err(format!("there are two handlers for {method}"));
        }
        self.handlers.extend(other.handlers);
        self.any = self.any.take().or(other.any);
        Ok(())
    }

    fn find(&self, method: &Method) -> Option<&dyn AnyHandler> {
        let of = |(known, _): &&(Method, _)| known == method;
        self.handlers.iter().find(of).map(|(_, handler)| &**handler)
    }

    pub(super) async fn dispatch(&self, request: Request) -> Response {
        let method = request.method();
        let found = self
            .find(method)
            .or_else(|| self.find(&Method::GET).filter(|_| *method == Method::HEAD))
            .or(self.any.as_deref());
        match found {
            Some(handler) => handler.answer(request).await,
            None if *method == Method::OPTIONS => self.with_allow(StatusCode::NO_CONTENT.into_response()),
            None => {
                let message = format!("{method} is not allowed here, but {}", self.allowed());
                self.with_allow(Error::new(StatusCode::METHOD_NOT_ALLOWED, message).into_response())
            }
        }
    }

    fn with_allow(&self, mut response: Response) -> Response {
        // Methods are tokens, which are legal in a header.
        if let Ok(allowed) = HeaderValue::try_from(self.allowed()) {
            response.headers_mut().insert(ALLOW, allowed);
        }
        response
    }

    fn allowed(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for (method, _) in &self.handlers {
            names.push(method.as_str());
            if *method == Method::GET && self.find(&Method::HEAD).is_none() {
                names.push("HEAD");
            }
        }
        names.join(", ")
    }
}

impl fmt::Debug for MethodRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.any.is_some() { "any" } else { "" })?;
        f.write_str(&self.allowed())
    }
}
