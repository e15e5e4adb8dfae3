//! The runtime: one engine, its artifacts, its clock and its threads, for all tasks of a process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;
use wasmtime::Engine;

use crate::artifact::{Artifact, Artifacts, CompilerCommand, PrepareError};
use crate::capability;
use crate::cpu::Clock;
use crate::engine;
use crate::host::{self, HostFiles, HostMemory};
use crate::pool::{Places, Pool};
use crate::scheduler::Scheduler;
use crate::ticker::Ticker;

/// What a runtime is built from.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Where compiled code is kept. Only this program may write there.
    pub cache_dir: PathBuf,
    /// How to run this program as a compiler.
    pub compiler: CompilerCommand,
    /// The tokio runtime that serves connections: guests' timers and sockets live there.
    pub serve: Handle,
    /// Where the host's size and what is left of it are read.
    pub host: HostFiles,
}

/// The engine and everything that tasks share.
#[derive(Debug)]
pub struct Runtime {
    engine: Engine,
    artifacts: Artifacts,
    ticker: Ticker,
    scheduler: Scheduler,
    clock: Clock,
    host_memory: HostMemory,
    pool: Pool,
    pool_size: Places,
    serve: Handle,
}

/// A runtime could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The engine has no room for its pool of instances.
    #[error("the WebAssembly engine can't start: {0}")]
    Engine(String),
    /// The cache directory can't be used.
    #[error("the cache of compiled components can't be opened")]
    Cache(#[source] PrepareError),
    /// The operating system gave no thread.
    #[error("the operating system gave no thread")]
    Thread(#[source] std::io::Error),
}

impl Runtime {
    /// Starts the engine and its threads. Raises this process's soft limit on open files to its hard one: guests'
    /// files and connections are the process's.
    ///
    /// # Errors
    /// When the host has no room for the engine's pool, no thread, or no usable cache directory.
    pub fn build(config: RuntimeConfig) -> Result<Arc<Self>, BuildError> {
        let engine_error = |error: wasmtime::Error| BuildError::Engine(format!("{error:#}"));
        host::raise_open_files();
        let facts = config.host.facts();
        let (engine, pool_size) =
            engine::serving_engine(facts, config.host.max_mappings()).map_err(engine_error)?;
        let linker = capability::linker(&engine).map_err(engine_error)?;
        let artifacts = Artifacts::new(engine.clone(), linker, &config.cache_dir, config.compiler)
            .map_err(BuildError::Cache)?;
        let clock = Clock::start();
        let threads = usize::try_from(facts.cores).unwrap_or(1);
        Ok(Arc::new(Self {
            ticker: Ticker::start(engine.clone()).map_err(BuildError::Thread)?,
            scheduler: Scheduler::start(threads, clock, &config.serve).map_err(BuildError::Thread)?,
            engine,
            artifacts,
            clock,
            host_memory: HostMemory::new(facts, config.host),
            pool: Pool::new(pool_size),
            pool_size,
            serve: config.serve,
        }))
    }

    /// Makes the component at `path` ready to run. `digest` is the digest of its content (`sha256:…`).
    ///
    /// A component that this data directory has seen before is not compiled again.
    ///
    /// # Errors
    /// [`PrepareError::Refused`] when the component can't run here; the others when the host failed.
    pub async fn prepare(&self, path: &Path, digest: &str) -> Result<Artifact, PrepareError> {
        self.artifacts.prepare(path, digest).await
    }

    /// The component of this `digest`, if it is compiled. One that is just being compiled, or loaded for somebody else, is
    /// not waited for.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub async fn prepared(&self, digest: &str) -> Result<Option<Artifact>, PrepareError> {
        self.artifacts.prepared(digest).await
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.ticker
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn host_memory(&self) -> &HostMemory {
        &self.host_memory
    }

    /// Places in the engine's pool of instances.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What the pool has room for when it is empty.
    pub(crate) fn pool_size(&self) -> Places {
        self.pool_size
    }

    pub(crate) fn serve(&self) -> &Handle {
        &self.serve
    }
}
