//! The loop over a real store, with an executor that does nothing but keep time and fail on demand. The
//! clock is paused: seconds of back-off pass at once, and in order.

mod cluster;
mod events;
pub(crate) mod fake;
mod faults;
mod jobs;
mod paced;
mod records;
mod recovery;
mod retiring;
mod rollouts;
mod scaling;
mod steady;
mod strategies;
mod stuck;

use std::time::Duration;

use self::cluster::Cluster;
use self::fake::Behaviour;
use crate::model::{Health, StopCode, Stopped, TaskStatus};
