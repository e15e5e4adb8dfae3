//! What is in the redb file, and how an older one becomes the current one.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `format`, `revision` | a number: this layout's version; the last committed transaction |
//! | `entries` | a key | the transaction that wrote it last, and its value |
//!
//! A newer format is refused: this version can't know what it would destroy. An older one goes through
//! the named steps of [`UPGRADES`], all in one transaction, so that a crash leaves the old format whole.

use redb::{Database, ReadTransaction, ReadableTable as _, TableDefinition, WriteTransaction};

use super::{StoreError, StoreRevision};

/// `meta`.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// `entries`.
pub(super) const ENTRIES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("entries");

/// The format this version writes.
pub(super) const FORMAT: u32 = 2;

const FORMAT_KEY: &str = "format";
const REVISION_KEY: &str = "revision";

/// One step from a format to the next.
pub(super) struct Upgrade {
    /// The format it starts from; it ends at the next.
    pub(super) from: u32,
    /// What it does, for the log.
    pub(super) name: &'static str,
    /// Does it.
    pub(super) step: fn(&WriteTransaction) -> Result<(), StoreError>,
}

/// Every step there is.
pub(super) const UPGRADES: &[Upgrade] = &[Upgrade {
    from: 1,
    name: "deployments are found by their ids",
    step: name_services_of_deployments,
}];

/// For each `deployments/<namespace>/<service>/<id>` the service's name under `deployment-services/<namespace>/<id>`.
fn name_services_of_deployments(write: &WriteTransaction) -> Result<(), StoreError> {
    const DEPLOYMENTS: &str = "deployments/";
    let mut entries = write.open_table(ENTRIES)?;
    let mut found = Vec::new();
    for row in entries.range(DEPLOYMENTS..)? {
        let (key, value) = row?;
        let Some(rest) = key.value().strip_prefix(DEPLOYMENTS) else {
            break;
        };
        let (revision, _) = value.value();
        if let [namespace, service, id] = rest.split('/').collect::<Vec<_>>()[..] {
            let by_id = format!("deployment-services/{namespace}/{id}");
            found.push((by_id, revision, service.to_owned()));
        }
    }
    for (by_id, revision, service) in found {
        entries.insert(by_id.as_str(), (revision, service.as_bytes()))?;
    }
    Ok(())
}

/// Makes an empty database a store, or an older one current; gives the last committed transaction.
pub(super) fn prepare(
    database: &Database,
    supported: u32,
    upgrades: &[Upgrade],
) -> Result<StoreRevision, StoreError> {
    let write = database.begin_write()?;
    let found = {
        let meta = write.open_table(META)?;
        meta.get(FORMAT_KEY)?.map(|format| format.value())
    };
    match found {
        None => create(&write, supported)?,
        Some(found) => {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            if found > supported {
                return Err(StoreError::NewerFormat { found, supported });
            }
            if found == supported {
                let revision = revision(&write)?;
                write.abort()?;
                return Ok(revision);
            }
            upgrade(&write, found, supported, upgrades)?;
        }
    }
    let revision = revision(&write)?;
    write.commit()?;
    Ok(revision)
}

fn create(write: &WriteTransaction, format: u32) -> Result<(), StoreError> {
    write.open_table(ENTRIES)?;
    let mut meta = write.open_table(META)?;
    meta.insert(FORMAT_KEY, u64::from(format))?;
    meta.insert(REVISION_KEY, 0)?;
    Ok(())
}

fn upgrade(
    write: &WriteTransaction,
    found: u32,
    supported: u32,
    upgrades: &[Upgrade],
) -> Result<(), StoreError> {
    for format in found..supported {
        let Some(upgrade) = upgrades.iter().find(|upgrade| upgrade.from == format) else {
            return Err(StoreError::NoUpgrade { found, supported });
        };
        tracing::info!(from = format, step = upgrade.name, "upgrading the store");
        (upgrade.step)(write)?;
    }
    write.open_table(META)?.insert(FORMAT_KEY, u64::from(supported))?;
    Ok(())
}

/// The last committed transaction.
pub(super) fn revision(write: &WriteTransaction) -> Result<StoreRevision, StoreError> {
    let meta = write.open_table(META)?;
    let revision = meta.get(REVISION_KEY)?.map(|revision| revision.value());
    known(revision)
}

/// The last committed transaction, as a reader's snapshot has it.
pub(super) fn read_revision(read: &ReadTransaction) -> Result<StoreRevision, StoreError> {
    known(
        read.open_table(META)?
            .get(REVISION_KEY)?
            .map(|revision| revision.value()),
    )
}

fn known(revision: Option<u64>) -> Result<StoreRevision, StoreError> {
    revision
        .map(StoreRevision)
        .ok_or_else(|| StoreError::Damaged("it has no revision".to_owned()))
}

/// Records the last committed transaction.
pub(super) fn set_revision(write: &WriteTransaction, revision: StoreRevision) -> Result<(), StoreError> {
    write.open_table(META)?.insert(REVISION_KEY, revision.0)?;
    Ok(())
}
