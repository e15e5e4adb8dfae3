//! Why something that was asked for isn't done: what was wrong, where, and what to do.
//!
//! Operations answer with a [`Refusal`]; which HTTP status each kind becomes is the API's to say, in one
//! place.

use crate::blobs::BlobError;
use crate::blueprint::BlueprintError;
use crate::manifest::ManifestErrors;
use crate::model::stored::RecordError;
use crate::secrets::SecretError;
use crate::store::StoreError;
use crate::tokens::TokenError;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request can't be understood.
    Malformed,
    /// Who asks isn't known.
    Unauthorized,
    /// Who asks may not.
    Forbidden,
    /// There is no such thing, or not for who asks.
    NotFound,
    /// There is such a path, and not this method.
    MethodNotAllowed,
    /// It is not possible as things stand.
    Conflict,
    /// It is too large.
    TooLarge,
    /// It was understood and can't be done.
    Unprocessable,
    /// Too much is being done already.
    Busy,
    /// The disk is full.
    NoSpace,
    /// The server failed.
    Internal,
}

/// Why something isn't done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of thing is wrong.
    pub kind: Kind,
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Where in the request.
    pub field: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without a place or a hint.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            field: None,
            hint: None,
        }
    }

    /// There is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, code, message)
    }

    /// It is not possible as things stand.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    /// It was understood and can't be done.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Unprocessable, code, message)
    }

    /// With the place in the request.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What was read was changed before what follows from it could be written.
const CONCURRENT_CHANGE: &str = "ConcurrentChange";

impl Refusal {
    /// Whether it may go well if it is begun anew: what was read was changed before what follows from it could be written.
    pub fn is_of_a_concurrent_change(&self) -> bool {
        self.code == CONCURRENT_CHANGE
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Conflict { .. } => {
                Self::conflict(CONCURRENT_CHANGE, message).hint("somebody else was quicker; try again")
            }
            StoreError::Invalid(_) => Self::new(Kind::TooLarge, "TooLarge", message),
            StoreError::DiskFull => Self::new(Kind::NoSpace, "DiskFull", message),
            StoreError::Busy | StoreError::Unavailable | StoreError::Closed => {
                Self::new(Kind::Busy, "StoreUnavailable", message)
            }
            _ => Self::new(Kind::Internal, "StoreFailed", message),
        }
    }
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        Self::new(Kind::Internal, "DamagedRecord", error.to_string())
    }
}

impl From<BlueprintError> for Refusal {
    fn from(error: BlueprintError) -> Self {
        let message = error.to_string();
        match error {
            BlueprintError::Store(error) => error.into(),
            BlueprintError::Record(error) => error.into(),
            BlueprintError::NoDefinition { .. } => Self::not_found("TaskDefinitionNotFound", message),
            BlueprintError::NoBundle { .. } | BlueprintError::Manifest { .. } => {
                Self::new(Kind::Internal, "UnusableTaskDefinition", message)
            }
        }
    }
}

/// One mistake is told in its parts; several are listed in the message, and the place is the first one's.
impl From<ManifestErrors> for Refusal {
    fn from(errors: ManifestErrors) -> Self {
        const CODE: &str = "InvalidManifest";
        let mut each = errors.iter();
        match (each.next(), each.next()) {
            (Some(only), None) => {
                let refusal = Self::unprocessable(CODE, only.message()).field(only.field().to_string());
                match only.suggestion() {
                    Some(hint) => refusal.hint(hint),
                    None => refusal,
                }
            }
            (Some(first), Some(_)) => {
                Self::unprocessable(CODE, errors.to_string()).field(first.field().to_string())
            }
            (None, _) => Self::unprocessable(CODE, errors.to_string()),
        }
    }
}

impl From<SecretError> for Refusal {
    fn from(error: SecretError) -> Self {
        let message = error.to_string();
        match error {
            SecretError::Store(error) => error.into(),
            SecretError::Unknown(_) => {
                Self::not_found("SecretNotFound", message).hint("`wharf secret list` lists those there are")
            }
            SecretError::Missing(_) | SecretError::MissingVersion { .. } => {
                Self::not_found("SecretNotFound", message)
            }
            SecretError::NotJson { .. } | SecretError::NoJsonKey { .. } => {
                Self::unprocessable("InvalidSecret", message)
            }
            SecretError::Empty | SecretError::Nul => {
                Self::unprocessable("InvalidSecret", message).field("valueBase64")
            }
            SecretError::TooLarge { .. } => {
                Self::new(Kind::TooLarge, "SecretTooLarge", message).field("valueBase64")
            }
            SecretError::TooMany | SecretError::AllPinned => Self::conflict("LimitExceeded", message),
            SecretError::Damaged { .. } | SecretError::Encryption => {
                Self::new(Kind::Internal, "SecretFailed", message)
            }
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let message = error.to_string();
        match error {
            TokenError::Store(error) => error.into(),
            TokenError::Missing(_) => {
                Self::not_found("TokenNotFound", message).hint("`wharf token list` lists those there are")
            }
            TokenError::LastAdministrator(_) => Self::conflict("LastAdministrator", message),
            TokenError::TooMany => Self::conflict("LimitExceeded", message),
            TokenError::Description(_) => Self::unprocessable("TooLong", message).field("description"),
            TokenError::Random | TokenError::File { .. } | TokenError::NotAToken { .. } => {
                Self::new(Kind::Internal, "TokenFailed", message)
            }
        }
    }
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        let message = error.to_string();
        match error {
            BlobError::Digest { .. } => Self::unprocessable("DigestMismatch", message),
            BlobError::TooLarge { .. } => Self::new(Kind::TooLarge, "BlobTooLarge", message),
            BlobError::Body(_) => Self::new(Kind::Malformed, "BodyBrokeOff", message),
            BlobError::Missing(_) => Self::unprocessable("BlobNotFound", message),
            BlobError::Path(_) => Self::unprocessable("InvalidBundle", message).field("files"),
            BlobError::DiskFull => Self::new(Kind::NoSpace, "DiskFull", message),
            BlobError::Io { ref source, .. } => {
                let message = format!("{message}: {source}");
                Self::new(Kind::Internal, "BlobFailed", message)
            }
        }
    }
}
