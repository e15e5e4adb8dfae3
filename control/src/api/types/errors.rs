//! What every refused request answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The one error there is.
    pub error: ErrorDetail,
}

/// What was wrong, where, and what to do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetail {
    /// For programs: stable, in PascalCase as ECS's exceptions (`ServiceNotFound`).
    pub code: String,
    /// For people: what was wrong.
    pub message: String,
    /// Where in the request: a path such as `task.cpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
