//! Method, target and version.

use super::Refused;
use crate::{
    error::Cause,
    inspect::{
        Reason,
        bytes::{is_blank, is_target, is_token, trim},
    },
};

/// The longest target hyper takes.
const MAX_TARGET: usize = 65_534;

/// What a byte takes that is written as its number: `%FF`.
const ESCAPED: usize = 3;

/// A request line that has all its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine<'h> {
    pub(super) method: &'h [u8],
    pub(super) target: &'h [u8],
    pub(super) version: Version,
    /// The worst about it.
    pub(super) reason: Reason,
    /// Whether it has to be written anew.
    pub(super) mend: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    Http11,
}

impl<'h> RequestLine<'h> {
    /// Takes a line apart, without its end.
    pub(super) fn parse(line: &'h [u8]) -> Result<Self, Refused> {
        let refused = |reason: Reason| {
            Err(Refused {
                cause: Cause::Malformed(reason.text()),
                reason,
            })
        };
        let mut parts = line.splitn(2, |byte| *byte == b' ');
        let method = parts.next().unwrap_or_default();
        if !is_token(method) {
            return refused(Reason::BadMethod);
        }
        let Some(rest) = parts.next() else {
            return refused(Reason::MissingUri);
        };
        let trimmed = trim_end(rest);
        let Some(at) = memchr::memrchr(b' ', trimmed) else {
            return match trimmed {
                [] => refused(Reason::MissingUri),
                version if version.starts_with(b"HTTP/") => refused(Reason::MissingUri),
                _ => Err(no_such_version()),
            };
        };
        let (target, version) = trimmed.split_at_checked(at).unwrap_or((trimmed, &[]));
        let version = trim(version);
        if trim(target).is_empty() {
            return refused(Reason::MissingUri);
        }
        let (version, mut reason) = read_version(version)?;
        let mut mend = reason != Reason::Compliant;
        if trimmed.len() < rest.len() {
            (reason, mend) = (Reason::NonCompliantVersion, true);
        }
        let found = read_target(method, target)?;
        if found.reason.class() > reason.class() {
            reason = found.reason;
        }
        Ok(Self {
            method,
            target,
            version,
            reason,
            mend: mend || found.mend,
        })
    }
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| !is_blank(*byte))
        .map_or(0, |at| at + 1);
    bytes.get(..end).unwrap_or(bytes)
}

fn no_such_version() -> Refused {
    Refused {
        cause: Cause::VersionRefused,
        reason: Reason::BadVersion,
    }
}

fn read_version(version: &[u8]) -> Result<(Version, Reason), Refused> {
    match version {
        b"HTTP/1.1" => Ok((Version::Http11, Reason::Compliant)),
        b"HTTP/1.0" => Ok((Version::Http10, Reason::Compliant)),
        // Not harmful, and a later minor version promises to be understood (RFC 9110 2.5).
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => {
            Ok((Version::Http11, Reason::NonCompliantVersion))
        }
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9']
        | [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(no_such_version()),
        _ => Err(Refused {
            cause: Cause::Malformed(Reason::BadVersion.text()),
            reason: Reason::BadVersion,
        }),
    }
}

struct Target {
    reason: Reason,
    mend: bool,
}

fn read_target(method: &[u8], target: &[u8]) -> Result<Target, Refused> {
    let bad = |reason: Reason| Refused {
        cause: Cause::Malformed(reason.text()),
        reason,
    };
    let mut found = Target {
        reason: Reason::Compliant,
        mend: false,
    };
    let mut length = target.len();
    for byte in target.iter().filter(|byte| !is_target(**byte)) {
        let reason = match byte {
            b'\r' | b'\n' | 0 => return Err(bad(Reason::BadUri)),
            b' ' => Reason::SpaceInUri,
            b'#' | 0..=0x1f | 0x7f => Reason::AmbiguousUri,
            // Written otherwise by who keeps to the rules, but there is only one thing it can mean.
            _ => Reason::Compliant,
        };
        found.mend = true;
        length += ESCAPED - 1;
        if reason.class() > found.reason.class() {
            found.reason = reason;
        }
    }
    if length > MAX_TARGET {
        return Err(Refused {
            cause: Cause::UriTooLong { limit: MAX_TARGET },
            reason: Reason::Compliant,
        });
    }
    if memchr::memmem::find(target, b" HTTP/").is_some() {
        return Err(bad(Reason::BadVersion));
    }
    if !has_form(method, target) {
        return Err(bad(Reason::BadUri));
    }
    Ok(found)
}

/// RFC 9112 3.2: origin form, else what goes with the method.
pub(super) fn has_form(method: &[u8], target: &[u8]) -> bool {
    if target.starts_with(b"/") {
        return true;
    }
    if target == b"*" {
        return method == b"OPTIONS";
    }
    // What no authority has isn't mended: it would be another authority. (RFC 3986 3.2: it ends before `#`, too.)
    if !authority(target).iter().all(|byte| is_target(*byte)) {
        return false;
    }
    // Rare enough to let the library judge, which will have to read it.
    let Ok(uri) = http::Uri::try_from(target) else {
        return false;
    };
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) => !authority.as_str().contains('@'),
        (None, Some(_)) => method == b"CONNECT",
        _ => false,
    }
}

/// What stands where an authority would, up to the path or the query.
fn authority(target: &[u8]) -> &[u8] {
    let after_scheme = memchr::memmem::find(target, b"://").and_then(|at| target.get(at + 3..));
    let rest = after_scheme.unwrap_or(target);
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}
