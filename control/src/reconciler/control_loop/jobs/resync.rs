//! Jobs and runs of which nobody told the loop: their records are others than those that are known.

use std::collections::HashMap;

use super::super::{ControlLoop, ServiceKey};
use super::watched::WatchedJob;
use crate::model::{RunNumber, keys};
use crate::store::{StoreError, StoreRevision};

/// The transactions that wrote a job's records: its own, and each run's.
#[derive(Default, PartialEq, Eq)]
struct Written {
    job: Option<StoreRevision>,
    runs: HashMap<RunNumber, StoreRevision>,
}

impl ControlLoop {
    /// Has the jobs read again and planned that the store has otherwise than they are known.
    pub(in super::super) async fn resync_jobs(&mut self) -> Result<(), StoreError> {
        let mut stored: HashMap<ServiceKey, Written> = HashMap::new();
        for entry in self.parts.store.list(keys::JOBS).await?.entries {
            if let Some((key, _)) = keys::whose_job(&entry.key) {
                stored.entry(key).or_default().job = Some(entry.revision);
            }
        }
        for entry in self.parts.store.list(keys::RUNS).await?.entries {
            if let Some((key, Some(run))) = keys::whose_job(&entry.key) {
                stored.entry(key).or_default().runs.insert(run, entry.revision);
            }
        }
        let known = self.jobs.watched.iter();
        let differ = known.filter(|(key, watched)| stored.remove(*key) != Some(written(watched)));
        let differ: Vec<ServiceKey> = differ.map(|(key, _)| key.clone()).collect();
        // What is left there is not known at all.
        for key in differ.into_iter().chain(stored.into_keys()) {
            self.jobs.mark_stale(&key);
            self.jobs.dirty.insert(key);
        }
        Ok(())
    }
}

fn written(watched: &WatchedJob) -> Written {
    let runs = watched.runs.iter();
    Written {
        job: Some(watched.revision),
        runs: runs.map(|(number, run)| (*number, run.revision)).collect(),
    }
}
