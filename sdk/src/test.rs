//! Testing handlers and jobs with `cargo test`: no component, no server, no network.
//!
//! A [`Host`] is what a handler sees of the world: environment, secrets, the services it calls, what is kept,
//! the time. It answers
//! one request at a time on the test's own thread, and time passes at once when everything waits.
//!
//! ```
//! use wharf::test::{Host, get};
//! use wharf::{Json, Query, Result, Router, StatusCode, client, routing};
//!
//! #[derive(serde::Deserialize, serde::Serialize)]
//! struct City { name: String }
//!
//! async fn weather(Query(city): Query<City>) -> Result<String> {
//!     let sky: String = client::get("https://api.example.com/sky")
//!         .query("city", &city.name)
//!         .bearer(&wharf::secret("API_KEY")?)
//!         .send()
//!         .await?
//!         .json()
//!         .await?;
//!     Ok(format!("{}: {sky}", city.name))
//! }
//!
//! // What stands for the service that is called: any handler.
//! async fn api(Query(city): Query<serde_json::Value>) -> Json<&'static str> {
//!     Json("sunny")
//! }
//!
//! # fn main() {
//! let host = Host::new().secret("API_KEY", "k1").upstream("https://api.example.com", api);
//! let answer = host.call(weather, get("/?name=Lisbon"));
//! assert_eq!((answer.status(), answer.text()), (StatusCode::OK, "Lisbon: sunny"));
//! assert_eq!(host.sent()[0].header("authorization"), Some("Bearer k1"));
//! # }
//! ```
//!
//! This module is not there in components.

mod answer;
mod call;
mod executor;
mod host;

pub use answer::{Answer, Sent};
pub use call::{Call, delete, get, head, options, patch, post, put, request};
pub use host::{Failing, Host};
