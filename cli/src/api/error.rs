//! What can go wrong between a command and the server.

use http::{StatusCode, Uri};
use wharf_control::api::types::{ErrorBody, ErrorDetail};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request that did not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("cannot reach the API at {api} (is `wharf serve` running? WHARF_API or --api says where)")]
    Unreachable {
        api: Uri,
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    #[error("the connection to the API at {api} broke")]
    Broken {
        api: Uri,
        #[source]
        source: BoxError,
    },
    #[error("what answers at {api} does not speak this version's API")]
    Garbled {
        api: Uri,
        #[source]
        source: BoxError,
    },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ApiError {
    /// Whether the server said that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == StatusCode::NOT_FOUND)
    }
}

/// The server's own "no".
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) detail: ErrorDetail,
}

impl Refusal {
    /// From an answer's status and body; whatever answers may not be a wharf.
    pub(crate) fn new(status: StatusCode, body: &[u8]) -> Self {
        let detail = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => body.error,
            Err(_) => ErrorDetail {
                code: "Unknown".to_owned(),
                message: format!("the API answered {status}"),
                field: None,
                hint: None,
            },
        };
        Self { status, detail }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ErrorDetail {
            message, field, hint, ..
        } = &self.detail;
        // A message about several things, as a manifest's, has its places and hints in it.
        if let Some(field) = field.as_ref().filter(|field| !message.contains(field.as_str())) {
            write!(f, "{field}: ")?;
        }
        f.write_str(message)?;
        match (hint, self.status) {
            (Some(hint), _) if message.contains(hint.as_str()) => Ok(()),
            (Some(hint), _) => write!(f, "\n  {hint}"),
            (None, StatusCode::UNAUTHORIZED) => f.write_str(
                "\n  the token comes from WHARF_TOKEN, or from the data directory (WHARF_DATA, --data)",
            ),
            (None, _) => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
