//! The API's wire types: what is said over HTTP, in ECS's words and camelCase.
//!
//! Nothing inside the crate uses them; they are converted by hand where a request comes in and an
//! answer goes out, so that a change inside is never a change of the API by accident. Requests
//! refuse fields they don't know.

mod capacity;
mod deployments;
mod edge;
mod errors;
mod events;
mod jobs;
mod namespaces;
mod secrets;
mod services;
mod tasks;

pub use capacity::*;
pub use deployments::*;
pub use edge::*;
pub use errors::*;
pub use events::*;
pub use jobs::*;
pub use namespaces::*;
pub use secrets::*;
pub use services::*;
pub use tasks::*;
