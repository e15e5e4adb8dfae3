//! XChaCha20-Poly1305 with random nonces (192 bits: random ones don't collide).

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// In bytes.
pub(super) const KEY_SIZE: usize = 32;

const NONCE_SIZE: usize = 24;

/// A key, overwritten when dropped.
pub(super) type Key = Zeroizing<[u8; KEY_SIZE]>;

/// What a cipher made, and the nonce it was made with.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ciphertext {
    pub(super) nonce: [u8; NONCE_SIZE],
    pub(super) bytes: Vec<u8>,
}

/// A value, and the key it is sealed with, which is sealed with the master key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) key: Ciphertext,
    pub(super) value: Ciphertext,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.value.bytes.len())
    }
}

/// A new key, if the system gives random bytes.
pub(super) fn random_key() -> Option<Key> {
    let mut key = Zeroizing::new([0; KEY_SIZE]);
    getrandom::fill(key.as_mut()).ok()?;
    Some(key)
}

/// Encrypts `plain` so that it opens with the same key and scope only.
pub(super) fn encrypt(key: &Key, scope: &str, plain: &[u8]) -> Option<Ciphertext> {
    let mut nonce = [0; NONCE_SIZE];
    getrandom::fill(&mut nonce).ok()?;
    let payload = Payload {
        msg: plain,
        aad: scope.as_bytes(),
    };
    let bytes = cipher(key).encrypt(XNonce::from_slice(&nonce), payload).ok()?;
    Some(Ciphertext { nonce, bytes })
}

/// Opens what [`encrypt`] made with this key and scope.
pub(super) fn decrypt(key: &Key, scope: &str, ciphertext: &Ciphertext) -> Option<Zeroizing<Vec<u8>>> {
    let payload = Payload {
        msg: &ciphertext.bytes,
        aad: scope.as_bytes(),
    };
    cipher(key)
        .decrypt(XNonce::from_slice(&ciphertext.nonce), payload)
        .ok()
        .map(Zeroizing::new)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_ref().into())
}
