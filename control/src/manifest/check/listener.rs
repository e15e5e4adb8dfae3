//! `[[listener]]`: where it listens, with which certificates, what clients may ask for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use wharf_gateway::{
    CertificateFiles, ClientPort, DesyncMode, Forwarding, HostHeader, Limits, TlsSpec, TlsVersion,
    XForwardedFor,
};
use wharf_runtime::Bytes;

use super::super::error::FieldPath;
use super::super::routing::Listener;
use super::super::text::{CertificateText, ListenerText};
use super::super::values::Report;
use super::action;
use super::route::{listed, network};
use crate::names::ListenerName;

/// The most listeners of a server (ALB: 50 of a load balancer).
pub const MAX_LISTENERS: usize = 1000;

/// The most certificates of a listener (ALB: 25).
const MAX_CERTIFICATES: usize = 1000;

/// The most proxies that are trusted.
const MAX_PROXIES: usize = 1000;

/// For whatever a client may be slow with.
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(7 * 24 * 3600));

/// Whatever there may be many of.
const COUNTS: (u32, u32) = (1, 10_000_000);

/// Lines of a head, within what the gateway's own map of headers takes (24 576).
const HEADER_LINES: (u32, u32) = (1, 20_000);

/// The largest request line, which may be three times as long once it is mended, in bytes; no longer target is taken.
const MAX_REQUEST_LINE: Bytes = Bytes::kib(64);

/// The largest header and the largest block of them, in bytes: every connection may hold one. ALB: 16 K and 64 K.
const MAX_HEADERS: Bytes = Bytes::kib(512);

const PROTOCOLS: &[(&str, Protocol)] = &[("HTTP", Protocol::Http), ("HTTPS", Protocol::Https)];

const VERSIONS: &[(&str, TlsVersion)] = &[("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];

const DESYNC: &[(&str, DesyncMode)] = &[
    ("defensive", DesyncMode::Defensive),
    ("strictest", DesyncMode::Strictest),
    ("monitor", DesyncMode::Monitor),
];

const FORWARDED_FOR: &[(&str, XForwardedFor)] = &[
    ("append", XForwardedFor::Append),
    ("preserve", XForwardedFor::Preserve),
    ("remove", XForwardedFor::Remove),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http,
    Https,
}

pub(in super::super) fn listeners(
    texts: &[ListenerText],
    here: &FieldPath,
    report: &mut Report,
) -> Vec<Listener> {
    report.length(here.clone(), texts.len(), MAX_LISTENERS);
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut listeners = Vec::new();
    for (at, text) in texts.iter().take(MAX_LISTENERS).enumerate() {
        let here = here.index(at);
        let Some(listener) = listener(text, &here, report) else {
            continue;
        };
        if let Some(first) = names.insert(listener.name.to_string(), at) {
            let message = format!(
                "[[listener]] number {} is called `{}`, as number {} is",
                at + 1,
                listener.name,
                first + 1
            );
            report.refuse(here.key("name"), message, "give one of them another name");
        }
        listeners.push(listener);
    }
    listeners
}

fn listener(text: &ListenerText, here: &FieldPath, report: &mut Report) -> Option<Listener> {
    if text.name.is_none() {
        report.refuse(
            here.clone(),
            "[[listener]] has no `name`",
            "add one, like name = \"https\"",
        );
    }
    let name: Option<ListenerName> = report.parsed(here.key("name"), text.name.as_deref().map(str::parse));
    let listener = Listener {
        address: address(text, name.as_ref(), here, report),
        tls: tls(text, here, report),
        limits: limits(text, here, report),
        forwarding: forwarding(text, here, report),
        desync: report
            .word(here, "desync", text.desync.as_deref(), DESYNC)
            .unwrap_or_default(),
        default: action::default(text.default.as_ref(), &here.key("default"), report),
        text: text.clone(),
        name: name?,
    };
    Some(listener)
}

/// `--http` says where the listener of its name is; every other says so itself.
fn address(
    text: &ListenerText,
    name: Option<&ListenerName>,
    here: &FieldPath,
    report: &mut Report,
) -> Option<SocketAddr> {
    match (&text.address, name.is_some_and(ListenerName::is_http)) {
        (Some(_), true) => {
            let message = "the address of the listener `http` is what `wharf serve --http` says";
            report.refuse(here.key("address"), message, "remove it");
            None
        }
        (Some(written), false) => {
            let parsed = written.parse::<SocketAddr>();
            let wrong = |_| format!("`{}` is no address, like \"0.0.0.0:443\"", written.escape_debug());
            report.parsed(here.key("address"), Some(parsed.map_err(wrong)))
        }
        (None, false) if name.is_some() => {
            report.refuse(
                here.clone(),
                "[[listener]] has no `address`",
                "add one, like address = \"0.0.0.0:443\"",
            );
            None
        }
        (None, _) => None,
    }
}

fn tls(text: &ListenerText, here: &FieldPath, report: &mut Report) -> Option<TlsSpec> {
    let protocol = report.word(here, "protocol", text.protocol.as_deref(), PROTOCOLS);
    let is_https = match (protocol, text.certificates.is_empty()) {
        (Some(Protocol::Http), false) => {
            let message = "`certificates` in [[listener]] together with protocol HTTP";
            report.refuse(
                here.key("certificates"),
                message,
                "remove them, or set protocol = \"HTTPS\"",
            );
            false
        }
        (Some(Protocol::Https), true) => {
            let hint = "name files on the server: certificates = [{ cert = \"/etc/tls/fullchain.pem\", key = \"/etc/tls/key.pem\" }]";
            report.refuse(here.clone(), "an HTTPS [[listener]] needs `certificates`", hint);
            false
        }
        // Certificates say it as well.
        (_, no_certificates) => !no_certificates,
    };
    if !is_https && text.tls.is_some() {
        report.refuse(
            here.key("tls"),
            "`tls` in a [[listener]] that is not HTTPS",
            "remove it",
        );
    }
    if is_https && text.name.as_deref() == Some(ListenerName::http().as_str()) {
        let hint = "open another listener for HTTPS";
        report.refuse(
            here.clone(),
            "the listener `http` of `wharf serve --http` speaks HTTP",
            hint,
        );
    }
    let min_version = report
        .word(here, "tls", text.tls.as_deref(), VERSIONS)
        .unwrap_or_default();
    let here = here.key("certificates");
    report.length(here.clone(), text.certificates.len(), MAX_CERTIFICATES);
    let certificates = text.certificates.iter().enumerate();
    let certificates = certificates.filter_map(|(at, text)| certificate(text, &here.index(at), report));
    let certificates = certificates.collect();
    is_https.then_some(TlsSpec {
        certificates,
        min_version,
    })
}

fn certificate(text: &CertificateText, here: &FieldPath, report: &mut Report) -> Option<CertificateFiles> {
    let (Some(cert), Some(key)) = (&text.cert, &text.key) else {
        let message = format!("`{here}` needs `cert` and `key`");
        report.refuse(here.clone(), message, "name the two files, on the server");
        return None;
    };
    let mut file = |name: &str, path: &str| {
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            let message = format!("`{}` is a relative path", path.display());
            report.refuse(
                here.key(name),
                message,
                "the server may be elsewhere: begin it with /",
            );
        }
        path
    };
    Some(CertificateFiles {
        cert: file("cert", cert),
        key: file("key", key),
    })
}

/// The most bytes of a request line, of a header, and of all headers.
fn head_sizes(text: &ListenerText, here: &FieldPath, report: &mut Report) -> (usize, usize, usize) {
    let defaults = Limits::default();
    let mut length = |key: &str, written: &Option<String>, most: Bytes, default: usize| {
        let size = report.size_within(here, key, written.as_deref(), (Bytes::new(1), most));
        size.and_then(|size| usize::try_from(size).ok())
            .unwrap_or(default)
    };
    let request_line = length(
        "request_line",
        &text.request_line,
        MAX_REQUEST_LINE,
        defaults.request_line,
    );
    let header_line = length(
        "header_line",
        &text.header_line,
        MAX_HEADERS,
        defaults.header_line,
    );
    let header_block = length(
        "header_block",
        &text.header_block,
        MAX_HEADERS,
        defaults.header_block,
    );
    (request_line, header_line, header_block)
}

fn limits(text: &ListenerText, here: &FieldPath, report: &mut Report) -> Limits {
    let defaults = Limits::default();
    let mut time = |key: &str, written: &Option<String>, default| {
        report.duration(here, key, written.as_deref(), TIMEOUTS, default)
    };
    let keep_alive_timeout = time("idle_timeout", &text.idle_timeout, defaults.keep_alive_timeout);
    let connection_lifetime = time("keep_alive", &text.keep_alive, defaults.connection_lifetime);
    let header_read_timeout = time(
        "header_timeout",
        &text.header_timeout,
        defaults.header_read_timeout,
    );
    let body_read_timeout = time("body_timeout", &text.body_timeout, defaults.body_read_timeout);
    let write_timeout = time("write_timeout", &text.write_timeout, defaults.write_timeout);
    let tls_handshake_timeout = time("tls_timeout", &text.tls_timeout, defaults.tls_handshake_timeout);
    let (request_line, header_line, header_block) = head_sizes(text, here, report);
    let request_body = report
        .size(here, "request_body", text.request_body.as_deref())
        .unwrap_or(defaults.request_body);
    let few = u32::try_from(defaults.header_lines).unwrap_or(HEADER_LINES.1);
    let header_lines = report.number(here, "header_lines", text.header_lines, HEADER_LINES, few);
    let mut count = |key: &str, written, default| report.number(here, key, written, COUNTS, default);
    Limits {
        request_line,
        header_line,
        header_block,
        header_lines: usize::try_from(header_lines).unwrap_or(defaults.header_lines),
        request_body,
        connections: count("connections", text.connections, defaults.connections),
        tls_handshakes: count("tls_handshakes", text.tls_handshakes, defaults.tls_handshakes),
        tls_handshake_timeout,
        header_read_timeout,
        body_read_timeout,
        write_timeout,
        keep_alive_timeout,
        connection_lifetime,
        http2_streams: count("streams", text.streams, defaults.http2_streams),
        http2_requests: text
            .stream_requests
            .map(|_| u64::from(count("stream_requests", text.stream_requests, 1)))
            .or(defaults.http2_requests),
        http2_resets: count("stream_resets", text.stream_resets, defaults.http2_resets),
    }
}

fn forwarding(text: &ListenerText, here: &FieldPath, report: &mut Report) -> Forwarding {
    let defaults = Forwarding::default();
    let proxies = here.key("trusted_proxies");
    report.length(proxies.clone(), text.trusted_proxies.len(), MAX_PROXIES);
    Forwarding {
        x_forwarded_for: report
            .word(
                here,
                "forwarded_for",
                text.forwarded_for.as_deref(),
                FORWARDED_FOR,
            )
            .unwrap_or_default(),
        client_port: match text.client_port {
            Some(true) => ClientPort::Include,
            Some(false) | None => ClientPort::Omit,
        },
        trusted: listed(&text.trusted_proxies, &proxies, report, network),
        host: match text.preserve_host {
            Some(true) => HostHeader::Preserve,
            Some(false) => HostHeader::Normalise,
            None => defaults.host,
        },
    }
}
