//! Bundles: uploaded blobs become something that can run.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::Orchestrator;
use crate::manifest::{MAX_BUNDLE_FILES, MAX_BUNDLE_SIZE, MAX_COMPONENT_SIZE};
use crate::model::stored::Record as _;
use crate::model::{Bundle, BundleMount, keys};
use crate::names::{Digest, NamespaceName};
use crate::refusal::{Kind, Refusal};
use crate::store::Expect;

/// Asks for a bundle.
#[derive(Debug, Clone)]
pub struct NewBundle {
    /// The component's blob.
    pub component: Digest,
    /// The files that travel with it.
    pub mounts: Vec<BundleMount>,
}

impl Orchestrator {
    /// Validates and compiles a component and records it with its files.
    ///
    /// # Errors
    /// What is missing, too large or not acceptable.
    pub async fn register_bundle(
        &self,
        namespace: &NamespaceName,
        ask: NewBundle,
    ) -> Result<Bundle, Refusal> {
        self.namespace(namespace).await?;
        check_mounts(&ask.mounts)?;
        self.check_blobs(namespace, &ask).await?;
        let path = self.blobs.path(namespace, &ask.component);
        let prepared = self.executor.prepare(&path, &ask.component).await?;
        let digest = digest_of(&ask);
        let bundle = Bundle {
            digest,
            component: ask.component,
            world: prepared.world,
            least_memory: prepared.least_memory,
            mounts: ask.mounts,
        };
        let key = keys::bundle(namespace, &bundle.digest);
        self.store.put_if(&key, Expect::Any, bundle.encode()).await?;
        Ok(bundle)
    }

    async fn check_blobs(&self, namespace: &NamespaceName, ask: &NewBundle) -> Result<(), Refusal> {
        let missing = |what: &str, digest: &Digest| {
            Refusal::unprocessable("BlobNotFound", format!("{what} {digest} was not uploaded")).hint(format!(
                "PUT it to /v1/namespaces/{namespace}/blobs/{digest} first"
            ))
        };
        match self.blobs.size(namespace, &ask.component).await? {
            None => return Err(missing("the component", &ask.component).field("component")),
            Some(size) if size > MAX_COMPONENT_SIZE => {
                let message = format!("the component has {size} bytes, {MAX_COMPONENT_SIZE} are allowed");
                return Err(Refusal::new(Kind::TooLarge, "ComponentTooLarge", message).field("component"));
            }
            Some(_) => {}
        }
        let mut total = 0u64;
        for (path, digest) in ask.mounts.iter().flat_map(|mount| &mount.entries) {
            let size = self.blobs.size(namespace, digest).await?;
            total += size.ok_or_else(|| missing(&format!("the file `{path}`"), digest).field("files"))?;
        }
        if total > MAX_BUNDLE_SIZE {
            let message = format!("the bundle's files have {total} bytes, {MAX_BUNDLE_SIZE} are allowed");
            return Err(Refusal::new(Kind::TooLarge, "BundleTooLarge", message).field("files"));
        }
        Ok(())
    }
}

/// Paths stay below their mount, and each is there once.
fn check_mounts(mounts: &[BundleMount]) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::unprocessable("InvalidBundle", message).field("files"));
    let count: usize = mounts.iter().map(|mount| mount.entries.len()).sum();
    if count > MAX_BUNDLE_FILES {
        return refuse(format!(
            "the bundle has {count} files, {MAX_BUNDLE_FILES} are allowed"
        ));
    }
    let mut folders = BTreeSet::new();
    for mount in mounts {
        if !folders.insert(&mount.mount) {
            return refuse(format!("`{}` is mounted twice", mount.mount));
        }
        let mut seen = BTreeSet::new();
        for (path, _) in &mount.entries {
            let part_is_bad = |part: &str| part.is_empty() || part == "." || part == "..";
            if path.split('/').any(part_is_bad) || path.contains(['\0', '\\']) {
                let shown = path.escape_debug();
                return refuse(format!(
                    "`{shown}` is not a path below `{}`",
                    mount.mount.escape_debug()
                ));
            }
            if !seen.insert(path) {
                return refuse(format!("`{path}` is there twice"));
            }
        }
    }
    Ok(())
}

/// A bundle is named by what is in it, in an order of its own.
fn digest_of(ask: &NewBundle) -> Digest {
    let mut hash = Sha256::new();
    hash.update(format!("component {}\n", ask.component));
    let mut lines: Vec<String> = ask
        .mounts
        .iter()
        .flat_map(|mount| {
            mount.entries.iter().map(|(path, digest)| {
                // Quoted, so that no path can look like two fields.
                format!("file {:?} {:?} {digest}\n", mount.mount, path)
            })
        })
        .chain(
            ask.mounts
                .iter()
                .map(|mount| format!("mount {:?}\n", mount.mount)),
        )
        .collect();
    lines.sort();
    for line in lines {
        hash.update(line);
    }
    Digest::from_sha256(hash.finalize().into())
}
