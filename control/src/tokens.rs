//! API tokens: who may ask for what.
//!
//! A token is `wharf_` and 32 random bytes. The store has its SHA-256 only, which is enough for random
//! bytes, and finds it by a part of that, so that no comparison runs over what somebody is guessing. A
//! token is bound to one namespace or is an administrator's.
//!
//! | key | value |
//! |---|---|
//! | `tokens/<id>` | a token's hash, what it is bound to, what it is for |
//! | `tokens-began` | present once the first token was made |

mod record;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use self::record::TokenRecord;
use crate::files::write_private;
use crate::names::{NamespaceName, hex};
use crate::store::{Expect, SharedStore, StoreError, Transaction};

/// The first start's token, in the data directory (mode 0600).
pub const ADMIN_TOKEN_FILE: &str = "admin-token";

/// What every token begins with, so that one that leaked is found by searching for it.
pub const TOKEN_PREFIX: &str = "wharf_";

/// The most tokens bound to one namespace, or to none.
pub const MAX_TOKENS: usize = 100;

/// The longest description, in bytes.
pub const MAX_DESCRIPTION: usize = 256;

const RANDOM_BYTES: usize = 32;

/// An id is this many digits of the hash: few enough to type, enough not to collide among so few tokens.
const ID_DIGITS: usize = 12;

const TOKENS: &str = "tokens/";
const BEGAN: &str = "tokens-began";

/// What a token may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything.
    Administrator,
    /// Everything within one namespace.
    Namespace(NamespaceName),
    /// Reading what was counted, and nothing else.
    Metrics,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token's id.
    pub token: String,
    /// What it may do.
    pub scope: Scope,
}

impl Principal {
    /// Whether it may see and change what is in `namespace`.
    pub fn may_use(&self, namespace: &NamespaceName) -> bool {
        match &self.scope {
            Scope::Administrator => true,
            Scope::Namespace(own) => own == namespace,
            Scope::Metrics => false,
        }
    }

    /// Whether it may read what was counted, of every namespace.
    pub fn may_read_metrics(&self) -> bool {
        matches!(self.scope, Scope::Administrator | Scope::Metrics)
    }

    /// Whether it is an administrator.
    pub fn is_administrator(&self) -> bool {
        self.scope == Scope::Administrator
    }
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSummary {
    /// Names it where it is revoked.
    pub id: String,
    /// What it may do.
    pub scope: Scope,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new token, with its secret: shown once.
#[derive(Debug)]
pub struct NewToken {
    /// What is kept of it.
    pub summary: TokenSummary,
    /// What is sent with requests.
    pub secret: SecretString,
}

/// What can go wrong with tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No such token, or not one of this namespace's.
    #[error("there is no token `{0}`")]
    Missing(String),
    /// The last administrator's.
    #[error("`{0}` is the last administrator's token: without it nobody could make another")]
    LastAdministrator(String),
    /// Too many.
    #[error("there are {MAX_TOKENS} tokens, which is all there may be: revoke one that isn't needed")]
    TooMany,
    /// Too much to say about a token.
    #[error("the description has {0} bytes, {MAX_DESCRIPTION} are allowed")]
    Description(usize),
    /// No random bytes.
    #[error("the system gave no random bytes for a token")]
    Random,
    /// The first token's file.
    #[error("the token file {} can't be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The first token's file has something else in it.
    #[error("{} is not a token: remove it, and the next start writes a new one", path.display())]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    store: SharedStore,
}

impl Tokens {
    /// Opens them; at the first start makes the administrator's and writes it to `<data>/admin-token`.
    ///
    /// # Errors
    /// If the file can't be written or the store fails.
    pub async fn open(store: SharedStore, data: &Path) -> Result<Self, TokenError> {
        let tokens = Self { store };
        if tokens.store.get(BEGAN).await?.is_none() {
            // The file first: after a crash in between, the next start takes the token that is in it.
            let secret = first_secret(data)?;
            let record = TokenRecord::new(&secret, Scope::Administrator, "the first administrator's");
            let began = Transaction::new()
                .expect(BEGAN, Expect::Absent)
                .put(BEGAN, "")
                .put(record.key(), record.encode());
            tokens.store.commit(began).await?;
        }
        Ok(tokens)
    }

    /// Makes a token.
    ///
    /// # Errors
    /// If there are too many, or the store fails.
    pub async fn create(&self, scope: Scope, description: &str) -> Result<NewToken, TokenError> {
        if description.len() > MAX_DESCRIPTION {
            return Err(TokenError::Description(description.len()));
        }
        if self.list(&scope).await?.len() >= MAX_TOKENS {
            return Err(TokenError::TooMany);
        }
        let secret = random_secret()?;
        let record = TokenRecord::new(&secret, scope, description);
        self.store
            .put_if(&record.key(), Expect::Absent, record.encode().into())
            .await?;
        Ok(NewToken {
            summary: record.summary,
            secret,
        })
    }

    /// The tokens of one scope, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list(&self, scope: &Scope) -> Result<Vec<TokenSummary>, TokenError> {
        let records = self.records().await?.into_iter().map(|record| record.summary);
        let mut summaries: Vec<_> = records.filter(|summary| summary.scope == *scope).collect();
        summaries.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(summaries)
    }

    /// Revokes a token of a scope. It is refused from the next request on.
    ///
    /// # Errors
    /// If there is no such token, or it is the last administrator's.
    pub async fn revoke(&self, scope: &Scope, id: &str) -> Result<(), TokenError> {
        let tokens = self.list(scope).await?;
        if !tokens.iter().any(|token| token.id == id) {
            return Err(TokenError::Missing(id.to_owned()));
        }
        if *scope == Scope::Administrator && tokens.len() == 1 {
            return Err(TokenError::LastAdministrator(id.to_owned()));
        }
        self.store.delete_if(&key(id), Expect::Any).await?;
        Ok(())
    }

    /// Revokes all tokens of a namespace.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revoke_all(&self, namespace: &NamespaceName) -> Result<(), TokenError> {
        let tokens = self.list(&Scope::Namespace(namespace.clone())).await?;
        let revoked = tokens.iter().fold(Transaction::new(), |revoked, token| {
            revoked.delete(key(&token.id))
        });
        self.store.commit(revoked).await?;
        Ok(())
    }

    /// Who `token` belongs to; nobody if it isn't one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Principal>, TokenError> {
        let hash = hash(token);
        let Some(entry) = self.store.get(&key(id_of(&hash))).await? else {
            return Ok(None);
        };
        let record = TokenRecord::decode(&entry)?;
        let is_it = record.hash.as_bytes().ct_eq(hash.as_bytes());
        let principal = Principal {
            token: record.summary.id,
            scope: record.summary.scope,
        };
        Ok(bool::from(is_it).then_some(principal))
    }

    async fn records(&self) -> Result<Vec<TokenRecord>, TokenError> {
        let entries = self.store.list(TOKENS).await?.entries;
        Ok(entries
            .iter()
            .map(TokenRecord::decode)
            .collect::<Result<_, _>>()?)
    }
}

fn key(id: &str) -> String {
    format!("{TOKENS}{id}")
}

/// The SHA-256 of a token, in hexadecimal digits.
fn hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn id_of(hash: &str) -> &str {
    hash.get(..ID_DIGITS).unwrap_or(hash)
}

fn random_secret() -> Result<SecretString, TokenError> {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    getrandom::fill(bytes.as_mut()).map_err(|_| TokenError::Random)?;
    let digits = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_ref()));
    Ok(SecretString::from(format!("{TOKEN_PREFIX}{}", *digits)))
}

/// The token in `<data>/admin-token`, which is made if there is none.
fn first_secret(data: &Path) -> Result<SecretString, TokenError> {
    let path = data.join(ADMIN_TOKEN_FILE);
    match fs::read_to_string(&path).map(Zeroizing::new) {
        Ok(text) => {
            let text = text.trim();
            let random = text
                .strip_prefix(TOKEN_PREFIX)
                .and_then(|digits| URL_SAFE_NO_PAD.decode(digits).ok());
            let is_token = random
                .map(Zeroizing::new)
                .is_some_and(|random| random.len() == RANDOM_BYTES);
            if is_token {
                Ok(SecretString::from(text))
            } else {
                Err(TokenError::NotAToken { path })
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = random_secret()?;
            let text = Zeroizing::new(format!("{}\n", secret.expose_secret()));
            match write_private(&path, text.as_bytes()) {
                Ok(()) => Ok(secret),
                Err(source) => Err(TokenError::File { path, source }),
            }
        }
        Err(source) => Err(TokenError::File { path, source }),
    }
}

#[cfg(test)]
mod tests;
