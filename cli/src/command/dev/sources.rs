//! The files a project is built from, and when they change.
//!
//! They are looked at again and again: of a project's own files that takes a millisecond, works on every kind of file
//! system, and needs none of the system's watches, of which a `node_modules` would use up all there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ignore::WalkBuilder;

use crate::output;

/// How often they are looked at.
const EVERY: Duration = Duration::from_millis(250);

/// How many are watched; of more, those that come first.
const MAX_FILES: usize = 20_000;

/// What tells a file from the same one changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    size: u64,
}

/// The files at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, Look>);

impl Snapshot {
    /// Those that are there in one of both only, or differ.
    fn differences(&self, other: &Self) -> BTreeSet<PathBuf> {
        let all = self.0.keys().chain(other.0.keys());
        all.filter(|path| self.0.get(*path) != other.0.get(*path))
            .cloned()
            .collect()
    }
}

/// What is watched.
#[derive(Debug)]
pub(super) struct Sources {
    base: PathBuf,
    /// As it was when what is built now was begun.
    seen: Snapshot,
    /// Files that changed during the last build.
    suspects: BTreeSet<PathBuf>,
    /// Files that changed during one build after another: it is the build that writes them.
    outputs: BTreeSet<PathBuf>,
}

impl Sources {
    pub(super) fn of(base: PathBuf) -> Self {
        Self {
            base,
            seen: Snapshot::default(),
            suspects: BTreeSet::new(),
            outputs: BTreeSet::new(),
        }
    }

    /// The files as they are: not those that `.gitignore` names, hidden ones, or what builds write.
    pub(super) fn look(&self) -> Snapshot {
        let walk = WalkBuilder::new(&self.base).require_git(false).build();
        let files = walk
            .flatten()
            .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
            .filter(|entry| !self.outputs.contains(entry.path()))
            .filter(|entry| !is_made(&self.base, entry.path()))
            .take(MAX_FILES);
        let looks = files.filter_map(|entry| {
            // One that is gone by now is not there.
            let metadata = entry.metadata().ok()?;
            let look = Look {
                modified: metadata.modified().ok(),
                size: metadata.len(),
            };
            Some((entry.into_path(), look))
        });
        Snapshot(looks.collect())
    }

    /// A build has ended that began with these files.
    pub(super) fn built(&mut self, before: &Snapshot) {
        let now = self.look();
        let changed = before.differences(&now);
        if !changed.is_empty() && changed.is_subset(&self.suspects) {
            for path in &changed {
                let shown = path.strip_prefix(&self.base).unwrap_or(path);
                output::remark(&format!(
                    "every build changes {}: it is not watched any more",
                    shown.display()
                ));
            }
            self.outputs.extend(changed);
            self.suspects.clear();
            self.seen = self.look();
            return;
        }
        // What was changed while it was built may not be in it.
        self.seen = before.clone();
        self.suspects = changed;
    }

    /// Resolves when the files are others than those that were built last, and stay the same for a moment.
    pub(super) async fn changed(&self) {
        let mut last = self.look();
        loop {
            let settled = last != self.seen;
            tokio::time::sleep(EVERY).await;
            let now = self.look();
            if settled && now == last {
                return;
            }
            last = now;
        }
    }
}

/// Whether it is below a directory that compilers and package managers fill, ignored or not.
fn is_made(base: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(base).unwrap_or(path);
    let mut parts = below.components().map(|part| part.as_os_str());
    parts.any(|part| part == "target" || part == "node_modules" || part == "__pycache__")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(base: &Path, path: &str, text: &str) {
        let path = base.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn project() -> (tempfile::TempDir, Sources) {
        let home = tempfile::tempdir().unwrap();
        write(home.path(), "wharf.toml", "name = \"x\"");
        write(home.path(), "src/lib.rs", "one");
        write(home.path(), ".gitignore", "/out\n");
        let sources = Sources::of(home.path().to_owned());
        (home, sources)
    }

    #[test]
    fn what_is_made_ignored_or_hidden_is_no_source() {
        let (home, sources) = project();
        let before = sources.look();
        for path in [
            "target/x",
            "out/x",
            ".wharf/x",
            "node_modules/x/y",
            "src/__pycache__/x",
        ] {
            write(home.path(), path, "made");
        }
        assert_eq!(sources.look(), before);
        write(home.path(), "src/other.rs", "new");
        let changed = before.differences(&sources.look());
        assert_eq!(changed, BTreeSet::from([home.path().join("src/other.rs")]));
        std::fs::remove_file(home.path().join("src/other.rs")).unwrap();
        assert_eq!(sources.look(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_while_it_is_built_is_built_again() {
        let (home, mut sources) = project();
        let before = sources.look();
        write(home.path(), "src/lib.rs", "changed meanwhile");
        sources.built(&before);
        sources.changed().await;
        let before = sources.look();
        sources.built(&before);
        let change = tokio::time::timeout(Duration::from_secs(60), sources.changed()).await;
        assert!(change.is_err(), "nothing has changed");
    }

    #[tokio::test(start_paused = true)]
    async fn what_every_build_changes_is_no_source() {
        let (home, mut sources) = project();
        for round in ["a", "bb"] {
            let before = sources.look();
            write(home.path(), "src/made.rs", round);
            sources.built(&before);
        }
        let change = tokio::time::timeout(Duration::from_secs(60), sources.changed()).await;
        assert!(change.is_err(), "the build alone has written it");
        write(home.path(), "src/lib.rs", "a person's");
        sources.changed().await;
    }
}
