//! What can go wrong between a command and the server.

use http::{StatusCode, Uri};
use wharf_control::api::types::{ErrorBody, ErrorDetail};

use super::fault::Fault;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request that did not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("cannot reach the API at {}: {fault}", shown(api))]
    Unreachable { api: Uri, fault: Fault },
    #[error("the connection to the API at {} broke: {fault}", shown(api))]
    Broken { api: Uri, fault: Fault },
    #[error("what answers at {} does not speak this version's API: {cause}", shown(api))]
    Garbled { api: Uri, cause: BoxError },
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// An address as it is typed: a URI without a path prints a `/` that nobody wrote.
fn shown(api: &Uri) -> String {
    api.to_string().trim_end_matches('/').to_owned()
}

impl ApiError {
    /// Whether the server said that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == StatusCode::NOT_FOUND)
    }

    /// What of the request the server refuses.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => refusal.detail.field.as_deref(),
            _ => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Unreachable { fault, .. } => Some(fault.hint()),
            Self::Broken { .. } => Some("see whether the server still runs, and try again"),
            Self::Garbled { .. } => Some(
                "WHARF_API or --api has to name a server's API, of the version that `wharf --version` prints",
            ),
            Self::Refused(refusal) => refusal.hint(),
        }
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

    fn hint(&self) -> Option<&str> {
        match (&self.detail.hint, self.status) {
            // A message about several things, as a manifest's, has its hints in it.
            (Some(hint), _) => Some(hint.as_str()).filter(|hint| !self.detail.message.contains(hint)),
            (None, StatusCode::UNAUTHORIZED) => {
                Some("the token comes from WHARF_TOKEN, or from the data directory (WHARF_DATA, --data)")
            }
            (None, _) => None,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ErrorDetail { message, field, .. } = &self.detail;
        // A message about several things has its places in it.
        if let Some(field) = field.as_ref().filter(|field| !message.contains(field.as_str())) {
            write!(f, "{field}: ")?;
        }
        f.write_str(message)
    }
}

impl std::error::Error for Refusal {}
