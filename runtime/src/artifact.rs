//! Artifacts: components compiled to native code, kept in a cache, loaded once per process.
//!
//! A component is named by its digest. Compiled code for it is either in this process already, or in the cache on disk,
//! or made by a child process that writes it there. Nothing else ever writes to the cache.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::guest_state::GuestState;
use crate::memory::INSTANCE_CHARGE;
use crate::pool::Places;
use crate::size::Bytes;

mod cache;
mod child;
mod compile;
mod footprint;
mod inspect;
mod load;
mod recent;

use cache::Cache;
pub use child::compile_child_main;
use compile::Compiler;
pub use compile::CompilerCommand;
use footprint::Footprint;
pub use inspect::{Refusal, World, check as check_component};
use recent::Recent;

/// A component that can be instantiated. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Artifact(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    digest: String,
    world: World,
    entry: Entry,
    footprint: Footprint,
}

/// How a component's export is called.
#[derive(Clone)]
pub(crate) enum Entry {
    Http(ProxyPre<GuestState>),
    Command(CommandPre<GuestState>),
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http(_) => "Http",
            Self::Command(_) => "Command",
        })
    }
}

impl Artifact {
    /// What the component exports, and so what it can be run as.
    pub fn world(&self) -> World {
        self.0.world
    }

    /// The component's own digest, `sha256:` and 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The least memory a task needs for one instance that has done nothing yet: its memories and tables at the
    /// start, and what is charged for every instance.
    pub fn least_memory(&self) -> Bytes {
        Bytes::new(
            self.instance_charge()
                .get()
                .saturating_add(self.0.footprint.initial),
        )
    }

    /// Charged for every instance, whatever it does: the engine's records of it, and what the host holds for it.
    pub(crate) fn instance_charge(&self) -> Bytes {
        Bytes::new(INSTANCE_CHARGE.get().saturating_add(self.0.footprint.records))
    }

    /// What an instance takes of the engine's pool.
    pub(crate) fn places(&self) -> Places {
        let Footprint {
            core_instances,
            memories,
            tables,
            ..
        } = self.0.footprint;
        Places {
            instances: 1,
            core_instances,
            memories,
            tables,
        }
    }

    pub(crate) fn entry(&self) -> &Entry {
        &self.0.entry
    }
}

/// A component could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The component itself is at fault: it can never run here.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The compiler took too long or too much memory.
    #[error("the component could not be compiled: {0}")]
    Compiler(String),
    /// The digest has another form than `sha256:<64 hex digits>`.
    #[error("`{0}` is not a digest: it is written sha256: and 64 hexadecimal digits")]
    Digest(String),
    /// The file system failed.
    #[error("{doing} {}", .path.display())]
    Io {
        /// What was being done, as in "can't read".
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// The artifacts of a process.
#[derive(Debug)]
pub(crate) struct Artifacts {
    engine: Engine,
    linker: Linking,
    cache: Cache,
    compiler: Compiler,
    loaded: Mutex<HashMap<String, Arc<Slot>>>,
    recent: Recent<Loaded>,
}

/// One artifact's place.
#[derive(Debug, Default)]
struct Slot {
    /// Held for a moment only: what is loaded is had without waiting for anybody. Those who take turns to load it would
    /// otherwise find it locked by the next of them, again and again.
    loaded: Mutex<Weak<Loaded>>,
    /// Held by who loads it; everybody else waits for that.
    loading: tokio::sync::Mutex<()>,
}

impl Slot {
    fn loaded(&self) -> Option<Arc<Loaded>> {
        self.place().upgrade()
    }

    fn place(&self) -> MutexGuard<'_, Weak<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Linking(Linker<GuestState>);

impl std::fmt::Debug for Linking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Linker")
    }
}

impl Artifacts {
    pub(crate) fn new(
        engine: Engine,
        linker: Linker<GuestState>,
        cache_dir: &Path,
        compiler: CompilerCommand,
    ) -> Result<Self, PrepareError> {
        let cache = Cache::open(cache_dir, &engine)?;
        let compiler = Compiler::new(compiler);
        Ok(Self {
            engine,
            linker: Linking(linker),
            cache,
            compiler,
            loaded: Mutex::default(),
            recent: Recent::default(),
        })
    }

    /// Makes the component at `path`, whose content has this `digest`, ready to run: from memory, from the
    /// cache, or by compiling it.
    pub(crate) async fn prepare(&self, path: &Path, digest: &str) -> Result<Artifact, PrepareError> {
        let hex = hex_digest(digest)?;
        let slot = self.slot(digest);
        let _loading = slot.loading.lock().await;
        if let Some(loaded) = slot.loaded() {
            return Ok(self.keep(loaded));
        }
        let (component, footprint) = self.component(path, hex).await?;
        self.load(&slot, digest, component, footprint)
    }

    /// The component of this `digest`, from memory or from the cache; none if it isn't compiled, or somebody is at it.
    pub(crate) async fn prepared(&self, digest: &str) -> Result<Option<Artifact>, PrepareError> {
        let hex = hex_digest(digest)?;
        let slot = self.slot(digest);
        if let Some(loaded) = slot.loaded() {
            return Ok(Some(self.keep(loaded)));
        }
        let Ok(_loading) = slot.loading.try_lock() else {
            return Ok(None);
        };
        // Somebody may have just been done with it.
        if let Some(loaded) = slot.loaded() {
            return Ok(Some(self.keep(loaded)));
        }
        let found = self.cache.load(&self.engine, hex).await?;
        let loaded = found.map(|(component, footprint)| self.load(&slot, digest, component, footprint));
        loaded.transpose()
    }

    /// Makes compiled code an artifact, and has it found at its place.
    fn load(
        &self,
        slot: &Slot,
        digest: &str,
        component: Component,
        footprint: Footprint,
    ) -> Result<Artifact, PrepareError> {
        let (world, entry) = self.link(component)?;
        let loaded = Arc::new(Loaded {
            digest: digest.to_owned(),
            world,
            entry,
            footprint,
        });
        *slot.place() = Arc::downgrade(&loaded);
        Ok(self.keep(loaded))
    }

    /// Keeps it loaded, instead of the one that was longest not asked for.
    fn keep(&self, loaded: Arc<Loaded>) -> Artifact {
        self.recent.keep(&loaded);
        Artifact(loaded)
    }

    fn slot(&self, digest: &str) -> Arc<Slot> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // What nothing runs any more needs no place: the map stays as small as what is in use.
        loaded.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.place().strong_count() > 0);
        Arc::clone(loaded.entry(digest.to_owned()).or_default())
    }

    async fn component(&self, path: &Path, hex: &str) -> Result<(Component, Footprint), PrepareError> {
        if let Some(found) = self.cache.load(&self.engine, hex).await? {
            return Ok(found);
        }
        let draft = self.cache.draft()?;
        let footprint = self.compiler.compile(path, hex, draft.path()).await?;
        self.cache.load_draft(&self.engine, draft.path()).await?;
        self.cache.keep(draft, hex, footprint).await?;
        let missing = || PrepareError::Compiler("the compiled code is gone from the cache".into());
        self.cache.load(&self.engine, hex).await?.ok_or_else(missing)
    }

    fn link(&self, component: Component) -> Result<(World, Entry), PrepareError> {
        let world = inspect::world_of(&component, &self.engine)?;
        let refuse = |error: wasmtime::Error| Refusal::Import(format!("{error:#}"));
        let linked: InstancePre<GuestState> = self.linker.0.instantiate_pre(&component).map_err(refuse)?;
        let entry = match world {
            World::Http => {
                Entry::Http(ProxyPre::new(linked).map_err(|error| Refusal::World(format!("{error:#}")))?)
            }
            World::Command => {
                Entry::Command(CommandPre::new(linked).map_err(|error| Refusal::World(format!("{error:#}")))?)
            }
        };
        Ok((world, entry))
    }
}

fn hex_digest(digest: &str) -> Result<&str, PrepareError> {
    let is_hex = |hex: &&str| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    digest
        .strip_prefix("sha256:")
        .filter(is_hex)
        .ok_or_else(|| PrepareError::Digest(digest.to_owned()))
}
