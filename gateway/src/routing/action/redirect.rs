//! Sending the client elsewhere: a URL made of the request's own parts and of what the rule says.
//!
//! ALB: `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}` stand for the request's; at least one of the
//! first four has to change; HTTPS does not go back to HTTP.

mod template;

use std::fmt;

use http::{HeaderValue, StatusCode};

use self::template::{Placeholder, Template};
use crate::routing::Scheme;

/// The longest part of a redirect's URL as it is written, in bytes. ALB: 128.
pub const MAX_REDIRECT_PART_BYTES: usize = 1024;

/// The longest `Location`, in bytes. ALB: 8 K.
const MAX_LOCATION_BYTES: usize = 8 * 1024;

/// A redirect as it is written. What is left out stays as the request has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedirectText<'t> {
    /// 301 or 302 (ALB), 303, 307 or 308.
    pub status: u16,
    /// `http`, `https` or `#{protocol}`, in capitals or not.
    pub protocol: Option<&'t str>,
    /// May have `#{host}` and `#{path}`.
    pub host: Option<&'t str>,
    /// A number, or `#{port}`. Left out where the protocol changes, it is the new protocol's own.
    pub port: Option<&'t str>,
    /// Begins with `/`. May have `#{host}`, `#{port}` and `#{path}`, which comes without its first `/`.
    pub path: Option<&'t str>,
    /// Without the `?`. May have every placeholder; empty takes the query off.
    pub query: Option<&'t str>,
}

/// A redirect.
#[derive(Clone, Debug)]
pub struct Redirect {
    status: StatusCode,
    protocol: Option<Scheme>,
    host: Template,
    port: Port,
    path: Template,
    query: Template,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// The request's, unless the protocol changes.
    Fitting,
    /// `#{port}`
    Same,
    Number(u16),
}

/// Why a redirect was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// Not a status for it.
    #[error("a redirect has status 301, 302, 303, 307 or 308, not {0}")]
    Status(u16),
    /// Neither protocol there is.
    #[error("a redirect's protocol is `http`, `https` or `#{{protocol}}`, not `{}`", .0.escape_debug())]
    Protocol(String),
    /// Not a port.
    #[error("a redirect's port is a number from 1 to 65535 or `#{{port}}`, not `{}`", .0.escape_debug())]
    Port(String),
    /// Nothing there.
    #[error("a redirect's {0} cannot be empty; leave it out to keep the request's")]
    Empty(&'static str),
    /// Longer than [`MAX_REDIRECT_PART_BYTES`].
    #[error("a redirect's {part} has at most {MAX_REDIRECT_PART_BYTES} bytes, this one has {length}")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// The length found, in bytes.
        length: usize,
    },
    /// A character that cannot be there.
    #[error("a redirect's {part} has no {character:?}{hint}")]
    Character {
        /// Which part.
        part: &'static str,
        /// The offending character.
        character: char,
        /// What to do about it; empty when nothing more is to be said.
        hint: &'static str,
    },
    /// A placeholder that does not exist, or not there.
    #[error("a redirect's {part} cannot have `{found}`: it takes {allowed}")]
    Placeholder {
        /// Which part.
        part: &'static str,
        /// What was found.
        found: String,
        /// What may be there.
        allowed: &'static str,
    },
    /// A placeholder without its end.
    #[error("a redirect's {part} cannot have `#{{{}`: it is not closed with `}}`", found.escape_debug())]
    Unclosed {
        /// Which part.
        part: &'static str,
        /// What was found after the brace.
        found: String,
    },
    /// A path that is none.
    #[error("a redirect's path begins with `/`, like `/#{{path}}`; `{}` does not", .0.escape_debug())]
    RelativePath(String),
    /// It would lead to where it came from. ALB refuses that, too.
    #[error("the redirect leads back to the same URL: change its protocol, host, port or path")]
    Loop,
    /// To HTTP, with nothing else that changes: from wherever it comes, it makes no sense.
    #[error(
        "the redirect changes nothing but the protocol, to HTTP: from HTTP that leads back to the same URL, and from \
         HTTPS no redirect leads to HTTP; change its host, port or path"
    )]
    OnlyToHttp,
    /// To the port of the listener it is on.
    #[error(
        "the redirect leads to port {0}, where this listener listens itself, and so back to the same URL: change its \
         protocol, host, port or path, or have it on other listeners only"
    )]
    OwnPort(u16),
    /// From HTTPS to HTTP. ALB refuses that, too.
    #[error("the redirect leads from HTTPS back to HTTP: leave the protocol out or make it `https`")]
    Downgrade,
}

/// What a request contributes to its redirect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location<'r> {
    pub(crate) scheme: Scheme,
    /// Without the port.
    pub(crate) host: &'r [u8],
    /// The port the client asked for, if it named one.
    pub(crate) port: Option<u16>,
    pub(crate) path: &'r [u8],
    pub(crate) query: &'r [u8],
}

/// Why a request cannot be redirected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unredirectable {
    /// Longer than [`MAX_LOCATION_BYTES`].
    TooLong,
    /// The host made of its parts is none.
    Host,
}

impl fmt::Display for Unredirectable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a location of more than {MAX_LOCATION_BYTES} bytes"),
            Self::Host => f.write_str("a location without a valid host"),
        }
    }
}

impl Redirect {
    /// Checks and takes a redirect.
    ///
    /// # Errors
    /// When a part is malformed, or nothing but the query changes.
    pub fn new(text: &RedirectText<'_>) -> Result<Self, RedirectError> {
        let redirect = Self {
            status: status(text.status)?,
            protocol: protocol(text.protocol)?,
            host: Template::host(text.host.unwrap_or("#{host}"))?,
            port: port(text.port)?,
            path: Template::path(text.path.unwrap_or("/#{path}"))?,
            query: Template::query(text.query.unwrap_or("#{query}"))?,
        };
        match redirect.protocol {
            None if redirect.keeps_the_rest() => Err(RedirectError::Loop),
            Some(Scheme::Http) if redirect.keeps_the_rest() => Err(RedirectError::OnlyToHttp),
            _ => Ok(redirect),
        }
    }

    /// Refuses what makes no sense on a listener of that protocol, at that port if it is known.
    pub(crate) fn check(&self, listener: Scheme, port: Option<u16>) -> Result<(), RedirectError> {
        let to = self.protocol.unwrap_or(listener);
        if (listener, to) == (Scheme::Https, Scheme::Http) {
            return Err(RedirectError::Downgrade);
        }
        if to != listener || !self.keeps_host_and_path() {
            return Ok(());
        }
        match self.port {
            Port::Same | Port::Fitting => Err(RedirectError::Loop),
            // Whatever port the client came by: the second time it is this one.
            Port::Number(number) if port == Some(number) => Err(RedirectError::OwnPort(number)),
            Port::Number(_) => Ok(()),
        }
    }

    /// Whether host, port and path stay as they are.
    fn keeps_the_rest(&self) -> bool {
        matches!(self.port, Port::Same | Port::Fitting) && self.keeps_host_and_path()
    }

    fn keeps_host_and_path(&self) -> bool {
        self.host.is_only("", &[Placeholder::Host]) && self.path.is_only("/", &[Placeholder::Path])
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Where it sends a request. The default port of the protocol is not written.
    pub(crate) fn location(&self, from: &Location<'_>) -> Result<HeaderValue, Unredirectable> {
        let scheme = self.protocol.unwrap_or(from.scheme);
        let port = match self.port {
            Port::Number(port) => Some(port),
            Port::Fitting if scheme != from.scheme => None,
            // ALB: `#{port}` is a number even if the client did not write it.
            Port::Same if scheme != from.scheme => Some(from.port.unwrap_or(from.scheme.default_port())),
            Port::Fitting | Port::Same => from.port,
        };
        let mut url = Vec::with_capacity(128);
        url.extend_from_slice(scheme.as_str().as_bytes());
        url.extend_from_slice(b"://");
        let host_at = url.len();
        self.host.expand(from, &mut url);
        if !url.get(host_at..).is_some_and(is_host) {
            return Err(Unredirectable::Host);
        }
        if let Some(port) = port.filter(|port| *port != scheme.default_port()) {
            url.push(b':');
            url.extend_from_slice(port.to_string().as_bytes());
        }
        self.path.expand(from, &mut url);
        let query_at = url.len();
        url.push(b'?');
        self.query.expand(from, &mut url);
        if url.len() == query_at + 1 {
            url.truncate(query_at);
        }
        if url.len() > MAX_LOCATION_BYTES {
            return Err(Unredirectable::TooLong);
        }
        HeaderValue::from_maybe_shared(bytes::Bytes::from(url)).map_err(|_| Unredirectable::Host)
    }
}

fn status(status: u16) -> Result<StatusCode, RedirectError> {
    match status {
        // ALB: 301 and 302; 307 and 308 keep the method.
        301 | 302 | 303 | 307 | 308 => {
            StatusCode::from_u16(status).map_err(|_| RedirectError::Status(status))
        }
        other => Err(RedirectError::Status(other)),
    }
}

fn protocol(text: Option<&str>) -> Result<Option<Scheme>, RedirectError> {
    match text {
        None | Some("#{protocol}") => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("http") => Ok(Some(Scheme::Http)),
        Some(text) if text.eq_ignore_ascii_case("https") => Ok(Some(Scheme::Https)),
        Some(text) => Err(RedirectError::Protocol(text.to_owned())),
    }
}

fn port(text: Option<&str>) -> Result<Port, RedirectError> {
    match text {
        None => Ok(Port::Fitting),
        Some("#{port}") => Ok(Port::Same),
        Some(text) => match text.parse() {
            Ok(number @ 1..) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Port::Number(number)),
            _ => Err(RedirectError::Port(text.to_owned())),
        },
    }
}

/// A name or an address in brackets; whatever else a placeholder put there would change what the URL means.
fn is_host(host: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(byte);
    match host {
        [b'[', inner @ .., b']'] => inner
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte)),
        _ => !host.is_empty() && host.iter().all(plain),
    }
}

#[cfg(test)]
mod tests;
