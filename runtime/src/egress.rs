//! The egress allow-list: where a guest may connect to.
//!
//! A rule names a scheme, a host and a port. It is checked twice: before a connection is sought (does any rule
//! name this place?) and after the name was resolved (is this address public, or named?). The second
//! check is what keeps a name under somebody else's control from leading to loopback or a private network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

/// How far a guest may connect, whatever its rules name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As far as the rules go.
    Anywhere,
    /// Not to a loopback, link-local or unspecified address, whatever its name says: what listens there takes whoever
    /// comes for the host itself.
    BeyondThisHost,
}

impl Reach {
    /// Whether it goes as far as this address.
    pub fn allows(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::Anywhere, _) => true,
            (Self::BeyondThisHost, IpAddr::V4(ip)) => {
                // 0.0.0.0/8 is "this network" (RFC 1122 3.2.1.3); connecting there reaches this host.
                !(ip.is_loopback() || ip.is_link_local() || ip.octets().starts_with(&[0]))
            }
            (Self::BeyondThisHost, IpAddr::V6(ip)) => {
                !(ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified())
            }
        }
    }
}

/// One entry of the allow-list, like `https://api.example.com`, `https://*.example.com:8443`,
/// `http://127.0.0.1:9000` or `http://10.0.0.0/8:80`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressRule {
    scheme: Scheme,
    host: HostRule,
    port: u16,
}

/// The two schemes a guest can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP, port 80 unless said.
    Http,
    /// HTTP over TLS, port 443 unless said.
    Https,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostRule {
    /// This name, in lower case.
    Name(String),
    /// Any name under this domain, but not the domain itself; kept as `.example.com`.
    Under(String),
    /// This address or range.
    Net(IpNet),
}

/// An egress rule that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{rule}` is not an egress rule: {why}; write it like \"https://api.example.com\" or \"http://127.0.0.1:9000\""
)]
pub struct EgressRuleError {
    rule: String,
    why: &'static str,
}

impl Scheme {
    /// The port a URL of this scheme means when it names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The scheme's name in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl FromStr for EgressRule {
    type Err = EgressRuleError;

    fn from_str(rule: &str) -> Result<Self, EgressRuleError> {
        let refuse = |why| EgressRuleError {
            rule: rule.to_owned(),
            why,
        };
        let (scheme, rest) = rule.split_once("://").ok_or_else(|| refuse("it has no scheme"))?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(refuse("only http and https can be allowed")),
        };
        let (host, port) = split_port(rest).map_err(refuse)?;
        let host = parse_host(host).map_err(refuse)?;
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or_else(|| scheme.default_port()),
        })
    }
}

/// Splits `host`, `host:port`, `[v6]`, `[v6]:port` and `v4/len:port`.
fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let bracket_end = text.rfind(']').map_or(0, |at| at + 1);
    let (head, tail) = text.split_at(bracket_end);
    let Some((before, port)) = tail.rsplit_once(':') else {
        return Ok((text, None));
    };
    let port = port
        .parse()
        .ok()
        .filter(|port| *port != 0)
        .ok_or("the port is not 1 to 65535")?;
    Ok((text.split_at(head.len() + before.len()).0, Some(port)))
}

fn parse_host(host: &str) -> Result<HostRule, &'static str> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(net) = bare.parse::<IpNet>() {
        return Ok(HostRule::Net(canonical(net.trunc())));
    }
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(HostRule::Net(address.to_canonical().into()));
    }
    let lower = host.trim_end_matches('.').to_ascii_lowercase();
    match lower.strip_prefix('*') {
        Some(domain)
            if domain.len() > 1 && domain.starts_with('.') && is_name(domain.trim_start_matches('.')) =>
        {
            Ok(HostRule::Under(domain.to_owned()))
        }
        Some(_) => Err("a wildcard stands for whole labels, as in `*.example.com`"),
        None if is_name(&lower) => Ok(HostRule::Name(lower)),
        None => Err("the host is not a name or an address"),
    }
}

/// A network of IPv4 addresses that is written as IPv6 (`::ffff:0:0/96`) is the IPv4 one: addresses are compared so.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    let v4 = mapped.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    v4.map_or(net, IpNet::V4)
}

fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.trim_end_matches('.').split('.').all(label)
}

impl fmt::Display for EgressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        match &self.host {
            HostRule::Name(name) => f.write_str(name)?,
            HostRule::Under(domain) => write!(f, "*{domain}")?,
            HostRule::Net(IpNet::V4(net)) if net.prefix_len() == 32 => write!(f, "{}", net.addr())?,
            HostRule::Net(IpNet::V6(net)) if net.prefix_len() == 128 => write!(f, "[{}]", net.addr())?,
            HostRule::Net(IpNet::V4(net)) => write!(f, "{net}")?,
            HostRule::Net(IpNet::V6(net)) => write!(f, "[{net}]")?,
        }
        if self.port == self.scheme.default_port() {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

/// Where a guest wants to connect to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) scheme: Scheme,
    /// The host of the URL: a name, or an address (IPv6 without brackets).
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

impl EgressRule {
    fn covers(&self, to: Destination<'_>) -> bool {
        self.scheme == to.scheme && self.port == to.port && self.names(to.host)
    }

    fn names(&self, host: &str) -> bool {
        match &self.host {
            HostRule::Name(name) => name.eq_ignore_ascii_case(host.trim_end_matches('.')),
            HostRule::Under(domain) => ends_with_ignoring_case(host.trim_end_matches('.'), domain),
            HostRule::Net(net) => {
                let address = host.parse::<IpAddr>();
                address.is_ok_and(|address| net.contains(&address.to_canonical()))
            }
        }
    }

    /// Whether it names nothing beyond the host itself.
    pub fn is_of_this_host(&self) -> bool {
        let is_own = |address| !Reach::BeyondThisHost.allows(address);
        match &self.host {
            // Both ends of a network may be the host's own with others between them, but not within one first byte.
            HostRule::Net(net) => net.prefix_len() >= 8 && is_own(net.network()) && is_own(net.broadcast()),
            HostRule::Name(name) => is_localhost(name),
            HostRule::Under(_) => false,
        }
    }

    /// Whether this rule names `address` itself, which is what unlocks a private or loopback one.
    fn unlocks(&self, to: Destination<'_>, address: IpAddr) -> bool {
        if self.scheme != to.scheme || self.port != to.port {
            return false;
        }
        match &self.host {
            HostRule::Net(net) => net.contains(&address.to_canonical()),
            // `localhost` can mean nothing but loopback, so its name is as good as the address.
            HostRule::Name(name) => is_localhost(name) && self.names(to.host) && address.is_loopback(),
            HostRule::Under(_) => false,
        }
    }
}

fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn ends_with_ignoring_case(host: &str, suffix: &str) -> bool {
    host.len() > suffix.len()
        && host
            .as_bytes()
            .iter()
            .rev()
            .zip(suffix.as_bytes().iter().rev())
            .all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// Whether any rule names this destination.
pub(crate) fn allows(rules: &[EgressRule], to: Destination<'_>) -> bool {
    rules.iter().any(|rule| rule.covers(to))
}

/// Whether the resolved `address` of an allowed destination, within reach, may be connected to: it is public, or a rule
/// names it.
pub(crate) fn allows_address(rules: &[EgressRule], to: Destination<'_>, address: IpAddr) -> bool {
    is_public(address) || rules.iter().any(|rule| rule.unlocks(to, address))
}

/// Whether an address belongs to the public internet (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = a == 192 && b == 0 && c == 0;
    let benchmark = a == 198 && (18..20).contains(&b);
    let reserved = a >= 240 || a == 0;
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || shared
        || protocol
        || benchmark
        || reserved)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let [first, second, ..] = segments;
    // NAT64 and 6to4 carry an IPv4 address that decides.
    if matches!(segments, [0x64, 0xff9b, 0, 0, 0, 0, ..]) {
        let [.., high, low] = segments;
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    if first == 0x2002 {
        let [_, high, low, ..] = segments;
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    let global_unicast = (0x2000..0x4000).contains(&first);
    let documentation = (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
    let teredo_and_protocol = first == 0x2001 && second < 0x200;
    global_unicast && !documentation && !teredo_and_protocol
}

#[cfg(test)]
mod tests;
