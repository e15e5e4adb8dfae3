//! Where a target outside is: `http(s)://host[:port]`, and nothing else.

use std::{fmt, net::IpAddr, str::FromStr};

use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;

/// The address of a target outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    is_tls: Tls,
    host: ServerHost,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    No,
    Yes,
}

/// The host of a server: a name, which is looked up for every connection, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHost(Host);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

/// Why a text is no host of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no name of a server: write a host name or an address, without a port", .0.escape_debug())]
pub struct ServerHostError(String);

/// Why a text is no address of a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no target: {reason}; write http://host:port or https://host:port")]
pub struct UpstreamUrlError {
    text: String,
    reason: &'static str,
}

impl UpstreamUrl {
    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_tls == Tls::Yes
    }

    /// The port, if need be the scheme's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, if it is named by that.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match &self.host.0 {
            Host::Address(address) => Some(*address),
            Host::Name(_) => None,
        }
    }

    pub(super) fn host(&self) -> &ServerHost {
        &self.host
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "it is no URL")?;
        let is_tls = match uri.scheme_str() {
            Some("http") => Tls::No,
            Some("https") => Tls::Yes,
            _ => return Err("it begins neither with http:// nor with https://"),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("it has user information");
        }
        if uri.query().is_some() || uri.path() != "/" {
            return Err("it has a path, but requests bring their own");
        }
        let port = match authority.port() {
            Some(port) if port.as_u16() == 0 => return Err("there is no port 0"),
            Some(port) => port.as_u16(),
            None if authority.as_str().ends_with(':')
                || authority.host().len() < authority.as_str().len() =>
            {
                return Err("its port is none");
            }
            None if is_tls == Tls::Yes => 443,
            None => 80,
        };
        let host = authority.host().parse();
        let host = host.map_err(|_: ServerHostError| "its host is neither a name nor an address")?;
        Ok(Self { is_tls, host, port })
    }
}

impl ServerHost {
    pub(super) fn get(&self) -> &Host {
        &self.0
    }

    /// With a port, as `Host` has them.
    fn authority(&self, port: u16) -> String {
        match &self.0 {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            Host::Address(address) => format!("{address}:{port}"),
            Host::Name(name) => format!("{name}:{port}"),
        }
    }

    /// The same as a header's value.
    pub(super) fn header(&self, port: u16) -> HeaderValue {
        // A name of a server has nothing that a header cannot have.
        HeaderValue::try_from(self.authority(port)).unwrap_or(HeaderValue::from_static("localhost"))
    }

    /// Whom a certificate has to be for.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        match &self.0 {
            Host::Name(name) => ServerName::try_from(name.clone()).ok(),
            Host::Address(address) => Some(ServerName::IpAddress((*address).into())),
        }
    }
}

/// An IPv6 address may be in brackets.
impl FromStr for ServerHost {
    type Err = ServerHostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let host = match bare.unwrap_or(text).parse() {
            Ok(address) => Self(Host::Address(address)),
            Err(_) => Self(Host::Name(text.to_ascii_lowercase())),
        };
        match host.server_name() {
            Some(_) => Ok(host),
            None => Err(ServerHostError(text.to_owned())),
        }
    }
}

impl FromStr for UpstreamUrl {
    type Err = UpstreamUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |reason| UpstreamUrlError {
            text: text.to_owned(),
            reason,
        };
        Self::read(text).map_err(refused)
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https() { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host.authority(self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_printed() {
        for (text, printed) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://legacy.internal", "http://legacy.internal:80"),
            ("https://Legacy.Internal/", "https://legacy.internal:443"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://under_score:1", "http://under_score:1"),
        ] {
            let url: UpstreamUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_saying_why() {
        for (text, reason) in [
            ("", "it is no URL"),
            ("legacy:80", "it begins neither with http:// nor with https://"),
            ("ftp://legacy", "it begins neither with http:// nor with https://"),
            ("http://u:p@legacy", "it has user information"),
            ("http://legacy/api", "it has a path, but requests bring their own"),
            ("http://legacy?x", "it has a path, but requests bring their own"),
            ("http://legacy:0", "there is no port 0"),
            ("http://legacy:", "its port is none"),
            ("http://legacy:99999", "its port is none"),
        ] {
            let error = text.parse::<UpstreamUrl>().unwrap_err();
            assert_eq!(error.reason, reason, "{text}");
        }
    }
}
