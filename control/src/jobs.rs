//! Jobs: when they run, and what a run does next.
//!
//! As with services, what shall be done is decided by a pure [`plan`](plan::plan) of what is desired, what is seen and
//! what time it is, made anew each time; the control loop carries it out. Times are the wall clock's, because a
//! schedule's are and because a deadline or a back-off goes on while the server is down.

pub mod cron;
pub mod plan;
