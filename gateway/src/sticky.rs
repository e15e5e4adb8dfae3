//! Cookies that keep a client with the target, or with the target group, it first met.
//!
//! Sealed (XChaCha20-Poly1305), so that a client can neither read which targets there are nor choose one. Each is set
//! anew with every response, as ALB's are, and comes with a twin for requests from other sites' pages. Our names
//! stand for ALB's: `WHARFLB` and `WHARFLBCORS` for `AWSALB` and `AWSALBCORS`, `WHARFTG` and `WHARFTGCORS` for
//! `AWSALBTG` and `AWSALBTGCORS`.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};

use crate::{
    group::StickyFor,
    names::{GroupName, TargetId},
};

/// What a browser keeps a cookie for, whatever the stickiness: that one is in the sealed value. ALB: 7 days.
const KEPT_FOR: Duration = Duration::from_secs(7 * 86_400);

/// A longer value is none of ours: two names of 256 bytes, nonce, time and tag, in base 64.
const MAX_SEALED_BYTES: usize = 1024;

const NONCE_BYTES: usize = 24;

/// Stands between the names in a value; names are visible ASCII.
const SEPARATOR: char = '\n';

/// What the cookies are sealed with. Whoever keeps it over a restart keeps clients with their targets.
#[derive(Clone)]
pub struct CookieKey([u8; 32]);

impl CookieKey {
    /// A key kept somewhere safe.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }
}

impl Default for CookieKey {
    /// A random one: cookies of an earlier process are worth nothing.
    fn default() -> Self {
        Self(random())
    }
}

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKey")
    }
}

/// What a cookie binds a client to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bond {
    Target,
    Group,
}

impl Bond {
    fn name(self) -> &'static str {
        match self {
            Self::Target => "WHARFLB",
            Self::Group => "WHARFTG",
        }
    }

    fn cross_site_name(self) -> &'static str {
        match self {
            Self::Target => "WHARFLBCORS",
            Self::Group => "WHARFTGCORS",
        }
    }
}

/// Makes the cookies and reads them.
pub(crate) struct Stickiness {
    cipher: XChaCha20Poly1305,
}

impl Stickiness {
    pub(crate) fn new(key: &CookieKey) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(&key.0.into()),
        }
    }

    /// The target of `group` that the request's client is bound to.
    pub(crate) fn target(&self, request: &HeaderMap, group: &GroupName, within: StickyFor) -> Option<String> {
        let bond = self.find(request, Bond::Target, within, Timestamp::now())?;
        let (of, target) = bond.split_once(SEPARATOR)?;
        (of == group.as_str()).then(|| target.to_owned())
    }

    /// The name of the group that the request's client is bound to.
    pub(crate) fn group(&self, request: &HeaderMap, within: StickyFor) -> Option<String> {
        self.find(request, Bond::Group, within, Timestamp::now())
    }

    /// Binds the response's client to a target of `group`, from now on.
    pub(crate) fn bind_to_target(&self, response: &mut HeaderMap, group: &GroupName, target: &TargetId) {
        let bond = format!("{group}{SEPARATOR}{target}");
        self.set(response, Bond::Target, &bond, Timestamp::now());
    }

    /// Binds the response's client to a group, from now on.
    pub(crate) fn bind_to_group(&self, response: &mut HeaderMap, group: &GroupName) {
        self.set(response, Bond::Group, group.as_str(), Timestamp::now());
    }

    fn find(&self, request: &HeaderMap, bond: Bond, within: StickyFor, now: Timestamp) -> Option<String> {
        request
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == bond.name() || *name == bond.cross_site_name())
            .find_map(|(_, value)| self.open(value, bond, within, now))
    }

    fn open(&self, value: &str, bond: Bond, within: StickyFor, now: Timestamp) -> Option<String> {
        if value.len() > MAX_SEALED_BYTES {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        let payload = Payload {
            msg: sealed,
            aad: bond.name().as_bytes(),
        };
        let plain = self.cipher.decrypt(XNonce::from_slice(nonce), payload).ok()?;
        let (since, text) = plain.split_first_chunk()?;
        let since = Timestamp::from_second(i64::from_be_bytes(*since)).ok()?;
        let age = now.duration_since(since);
        let within = SignedDuration::try_from(within.get()).unwrap_or(SignedDuration::MAX);
        // Whole seconds are sealed: a bond of one second is to last one.
        (age <= within + SignedDuration::from_secs(1)).then_some(())?;
        String::from_utf8(text.to_vec()).ok()
    }

    fn set(&self, response: &mut HeaderMap, bond: Bond, text: &str, now: Timestamp) {
        let Some(value) = self.seal(bond, text, now) else {
            return;
        };
        let expires = expires(now);
        let (name, cross_site) = (bond.name(), bond.cross_site_name());
        for cookie in [
            format!("{name}={value}; Expires={expires}; Path=/; HttpOnly"),
            format!("{cross_site}={value}; Expires={expires}; Path=/; HttpOnly; SameSite=None; Secure"),
        ] {
            if let Ok(cookie) = HeaderValue::from_maybe_shared(bytes::Bytes::from(cookie)) {
                response.append(header::SET_COOKIE, cookie);
            }
        }
    }

    fn seal(&self, bond: Bond, text: &str, now: Timestamp) -> Option<String> {
        let nonce: [u8; NONCE_BYTES] = random();
        let mut plain = now.as_second().to_be_bytes().to_vec();
        plain.extend_from_slice(text.as_bytes());
        let payload = Payload {
            msg: &plain,
            aad: bond.name().as_bytes(),
        };
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload).ok()?;
        let mut value = nonce.to_vec();
        value.extend_from_slice(&sealed);
        Some(URL_SAFE_NO_PAD.encode(value))
    }
}

impl fmt::Debug for Stickiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stickiness").finish_non_exhaustive()
    }
}

fn expires(now: Timestamp) -> String {
    let at = now.saturating_add(KEPT_FOR).unwrap_or(Timestamp::MAX);
    // Only years beyond 9999 cannot be printed.
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}

#[expect(
    clippy::expect_used,
    reason = "without the system's random bytes nothing here is safe, and no system that runs is without"
)]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests;
