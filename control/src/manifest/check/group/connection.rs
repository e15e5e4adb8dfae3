//! How the targets of a `[[target_group]]` are spoken to.

use std::time::Duration;

use wharf_gateway::{Certificates, CertificatesError, ServerHost, UpstreamVersion};
use wharf_runtime::Bytes;

use super::super::super::error::FieldPath;
use super::super::super::routing::{Connection, OutsideTarget};
use super::super::super::text::TargetGroupText;
use super::super::super::values::Report;

/// For a connection to come about, and for TLS after that. ALB: 10 s each.
const CONNECT_TIMEOUTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(300));
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// For silence, while a request is open (ALB: 1 to 4000 s, 60 s) and while none is.
const IDLE_TIMEOUTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(24 * 3600));
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(60);

/// To one target.
const MAX_CONNECTIONS: u32 = 1_000_000;
const DEFAULT_CONNECTIONS: u32 = 10_000;

/// From what is read at once to what a listener may be given for a request's. ALB: 32 K.
const RESPONSE_HEADS: (Bytes, Bytes) = (Bytes::kib(8), Bytes::kib(512));
const DEFAULT_RESPONSE_HEAD: usize = 32 * 1024;

/// Of `authorities`: some forty certificates. They are kept with every version of the group's definition.
const MAX_AUTHORITIES: usize = 64 * 1024;

pub(super) fn connection(
    text: &TargetGroupText,
    version: UpstreamVersion,
    targets: &[OutsideTarget],
    here: &FieldPath,
    report: &mut Report,
) -> Connection {
    let tls = refuse_idle_tls(text, targets, here, report);
    let mut duration = |key, written: &Option<String>, bounds, default| {
        report.duration(here, key, written.as_deref(), bounds, default)
    };
    Connection {
        version,
        connect_timeout: duration(
            "connect_timeout",
            &text.connect_timeout,
            CONNECT_TIMEOUTS,
            DEFAULT_CONNECT_TIMEOUT,
        ),
        tls_timeout: duration(
            "tls_timeout",
            &text.tls_timeout,
            CONNECT_TIMEOUTS,
            DEFAULT_TLS_TIMEOUT,
        ),
        idle_timeout: duration(
            "idle_timeout",
            &text.idle_timeout,
            IDLE_TIMEOUTS,
            DEFAULT_IDLE_TIMEOUT,
        ),
        keep_alive: duration("keep_alive", &text.keep_alive, IDLE_TIMEOUTS, DEFAULT_KEEP_ALIVE),
        connections: report.number(
            here,
            "connections",
            text.connections,
            (1, MAX_CONNECTIONS),
            DEFAULT_CONNECTIONS,
        ),
        response_head: report
            .size_within(
                here,
                "response_head",
                text.response_head.as_deref(),
                RESPONSE_HEADS,
            )
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(DEFAULT_RESPONSE_HEAD),
        certificates: tls.map_or(Certificates::System, |tls| certificates(tls, here, report)),
        server_name: server_name(tls, here, report),
    }
}

/// What is of TLS does nothing where nobody speaks it; the text, if somebody does.
fn refuse_idle_tls<'t>(
    text: &'t TargetGroupText,
    targets: &[OutsideTarget],
    here: &FieldPath,
    report: &mut Report,
) -> Option<&'t TargetGroupText> {
    if targets.iter().any(|target| target.url.is_https()) {
        return Some(text);
    }
    for (key, written) in [
        ("tls_timeout", &text.tls_timeout),
        ("authorities", &text.authorities),
        ("server_name", &text.server_name),
    ] {
        if written.is_some() {
            let message = format!("`{key}` is for `https` targets, and the group has none");
            report.refuse(here.key(key), message, "remove it");
        }
    }
    None
}

/// Whose certificates are taken.
fn certificates(text: &TargetGroupText, here: &FieldPath, report: &mut Report) -> Certificates {
    let is_checked = text.verify_certificates != Some(false);
    let Some(pem) = text.authorities.as_deref() else {
        return match is_checked {
            true => Certificates::System,
            false => Certificates::Unchecked,
        };
    };
    if !is_checked {
        report.refuse(
            here.key("authorities"),
            "`authorities` does nothing where certificates are not checked",
            "remove it, or `verify_certificates`",
        );
        return Certificates::Unchecked;
    }
    if pem.len() > MAX_AUTHORITIES {
        let message = format!("`authorities` has {} bytes", pem.len());
        report.refuse(
            here.key("authorities"),
            message,
            format!("{MAX_AUTHORITIES} are allowed"),
        );
        return Certificates::System;
    }
    Certificates::of_authorities(pem).unwrap_or_else(|error| {
        let hint = match error {
            CertificatesError::PrivateKey => "leave it out: it is nobody else's",
            _ => "write what the authorities' .pem files hold: -----BEGIN CERTIFICATE-----…",
        };
        report.refuse(here.key("authorities"), format!("`authorities`: {error}"), hint);
        Certificates::System
    })
}

/// Whom certificates have to be for, where that isn't what the targets' URLs say.
fn server_name(tls: Option<&TargetGroupText>, here: &FieldPath, report: &mut Report) -> Option<ServerHost> {
    let text = tls.and_then(|text| text.server_name.as_deref());
    report.parsed(here.key("server_name"), text.map(str::parse))
}
