//! The loop over a real store, with an executor that does nothing but keep time and fail on demand. The
//! clock is paused: seconds of back-off pass at once, and in order.

mod cluster;
pub(crate) mod fake;
mod jobs;
mod recovery;
mod rollouts;
mod steady;

use std::time::Duration;

use self::cluster::Cluster;
use self::fake::Behaviour;
use crate::model::{Health, StopCode, Stopped, TaskStatus};
