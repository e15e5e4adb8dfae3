//! Secrets: sealed on disk, current in memory, shown nowhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use wharf_runtime::SecretSource as _;

use super::*;
use crate::store::tests::memory;

mod writing;

const PLAIN: &str = "hunter2-in-plain-sight";

fn ns(text: &str) -> NamespaceName {
    text.parse().unwrap()
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn references(pairs: &[(&str, &str)]) -> BTreeMap<EnvName, SecretReference> {
    pairs
        .iter()
        .map(|(variable, reference)| (variable.parse().unwrap(), reference.parse().unwrap()))
        .collect()
}

/// Secrets over a store in memory, with the key in a folder of their own.
async fn open() -> (Secrets, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let source = MasterKeySource::DataDirectory(directory.path().to_owned());
    (Secrets::open(memory(), &source).await.unwrap(), directory)
}

async fn set(secrets: &Secrets, secret: &str, value: &str) -> Result<SecretSummary, SecretError> {
    secrets
        .set(
            &ns("default"),
            &name(secret),
            &SecretString::from(value),
            &BTreeSet::new(),
        )
        .await
}

async fn hold(secrets: &Secrets, reference: &str) -> Result<HeldSecrets, SecretError> {
    secrets
        .hold(&ns("default"), &references(&[("KEY", reference)]))
        .await
}

/// What a task that refers to `reference` finds.
async fn value(secrets: &Secrets, reference: &str) -> Result<String, String> {
    let held = hold(secrets, reference)
        .await
        .map_err(|error| error.to_string())?;
    Ok(now(&held))
}

fn now(held: &HeldSecrets) -> String {
    held.resolve().unwrap()[0].1.expose_secret().to_owned()
}

#[tokio::test]
async fn versions_are_kept_and_can_be_pinned() {
    let (secrets, _directory) = open().await;
    assert_eq!(
        set(&secrets, "prod/weather", "one").await.unwrap().version.get(),
        1
    );
    assert_eq!(
        set(&secrets, "prod/weather", "two").await.unwrap().version.get(),
        2
    );
    assert_eq!(value(&secrets, "prod/weather").await.unwrap(), "two");
    assert_eq!(value(&secrets, "prod/weather@1").await.unwrap(), "one");
    assert_eq!(
        value(&secrets, "prod/weather@3").await.unwrap_err(),
        "the secret `prod/weather` has no version 3"
    );
    let listed = secrets.list(&ns("default"));
    assert_eq!((listed.len(), listed[0].versions.len()), (1, 2));
    assert!(secrets.list(&ns("other")).is_empty());
}

#[tokio::test]
async fn a_new_version_reaches_who_holds_the_latest_and_nobody_else() {
    let (secrets, _directory) = open().await;
    set(&secrets, "a", "{\"k\": \"one\"}").await.unwrap();
    let latest = hold(&secrets, "a:k").await.unwrap();
    let pinned = hold(&secrets, "a:k@1").await.unwrap();
    set(&secrets, "a", "{\"k\": \"two\"}").await.unwrap();
    assert_eq!((now(&latest), now(&pinned)), ("two".to_owned(), "one".to_owned()));

    set(&secrets, "a", "no longer JSON").await.unwrap();
    let unavailable = latest.resolve().unwrap_err().to_string();
    assert_eq!(
        unavailable,
        "the secret `a` is not a JSON object, and `:k` refers to a key of it"
    );
    set(&secrets, "a", "{\"k\": \"three\"}").await.unwrap();
    assert_eq!(now(&latest), "three");
}

#[tokio::test]
async fn a_deleted_secret_is_gone_for_everyone() {
    let (secrets, _directory) = open().await;
    set(&secrets, "a", "one").await.unwrap();
    set(&secrets, "a/b", "other").await.unwrap();
    let held = hold(&secrets, "a").await.unwrap();
    secrets.delete(&ns("default"), &name("a")).await.unwrap();
    assert!(
        held.resolve()
            .unwrap_err()
            .to_string()
            .starts_with("the secret `a` does not exist")
    );
    assert!(matches!(
        secrets.delete(&ns("default"), &name("a")).await,
        Err(SecretError::Unknown(_))
    ));
    assert_eq!(
        value(&secrets, "a").await.unwrap_err(),
        "the secret `a` does not exist: set it with `wharf secret set a`"
    );
    assert_eq!(value(&secrets, "a/b").await.unwrap(), "other");
    // And back: the old holder keeps its answer, a new one has the new value.
    set(&secrets, "a", "again").await.unwrap();
    assert_eq!(value(&secrets, "a").await.unwrap(), "again");
}

#[tokio::test]
async fn json_keys() {
    let (secrets, _directory) = open().await;
    let json = r#"{"text": "a\u0041\n", "number": 5, "yes": true, "nested": {"a": [1]}, "none": null}"#;
    set(&secrets, "s", json).await.unwrap();
    for (key, wanted) in [
        ("text", "aA\n"),
        ("number", "5"),
        ("yes", "true"),
        ("nested", "{\"a\": [1]}"),
    ] {
        assert_eq!(value(&secrets, &format!("s:{key}")).await.unwrap(), wanted);
    }
    for key in ["none", "absent"] {
        let said = value(&secrets, &format!("s:{key}")).await.unwrap_err();
        assert_eq!(said, format!("the secret `s` has no key `{key}`"));
    }
}

#[tokio::test]
async fn values_are_bounded_text() {
    let (secrets, _directory) = open().await;
    let said = async |value: &str| set(&secrets, "s", value).await.unwrap_err().to_string();
    assert_eq!(said("").await, "the value is empty");
    assert!(said("a\0b").await.starts_with("the value has a NUL character"));
    let large = "x".repeat(MAX_SECRET_SIZE + 1);
    assert_eq!(said(&large).await, "the value has 65537 bytes, 65536 are allowed");
    set(&secrets, "s", &large[1..]).await.unwrap();
}

#[tokio::test]
async fn of_too_many_versions_the_oldest_unpinned_goes() {
    let (secrets, _directory) = open().await;
    let pinned = BTreeSet::from([SecretVersion::FIRST]);
    for number in 1..=MAX_VERSIONS + 1 {
        let value = SecretString::from(number.to_string());
        secrets
            .set(&ns("default"), &name("s"), &value, &pinned)
            .await
            .unwrap();
    }
    assert_eq!(value(&secrets, "s@1").await.unwrap(), "1");
    assert_eq!(
        value(&secrets, "s@2").await.unwrap_err(),
        "the secret `s` has no version 2"
    );
    assert_eq!(value(&secrets, "s").await.unwrap(), "101");
    let all: BTreeSet<_> = (1..=200).filter_map(SecretVersion::new).collect();
    let refused = secrets
        .set(&ns("default"), &name("s"), &SecretString::from("x"), &all)
        .await;
    assert!(matches!(refused, Err(SecretError::AllPinned)));
    assert_eq!(value(&secrets, "s").await.unwrap(), "101");
}

#[tokio::test]
async fn secrets_survive_a_restart_and_are_sealed_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let source = MasterKeySource::DataDirectory(directory.path().to_owned());
    let store: SharedStore = Arc::new(crate::store::tests::open(directory.path()).unwrap());
    let secrets = Secrets::open(store, &source).await.unwrap();
    let created = set(&secrets, "s", PLAIN).await.unwrap().created_at;
    drop(secrets);
    let store: SharedStore = Arc::new(crate::store::tests::open(directory.path()).unwrap());
    let secrets = Secrets::open(store, &source).await.unwrap();
    assert_eq!(value(&secrets, "s").await.unwrap(), PLAIN);
    assert_eq!(
        secrets.get(&ns("default"), &name("s")).unwrap().created_at,
        created
    );
    drop(secrets);
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let content = fs::read(&path).unwrap();
        let found = content
            .windows(PLAIN.len())
            .any(|window| window == PLAIN.as_bytes());
        assert!(!found, "{} has it in plain", path.display());
    }
    let mode = fs::metadata(directory.path().join(MASTER_KEY_FILE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_row_can_not_be_passed_off_as_another() {
    let (secrets, _directory) = open().await;
    set(&secrets, "mine", "mine").await.unwrap();
    set(&secrets, "mine", "mine too").await.unwrap();
    secrets
        .set(
            &ns("other"),
            &name("theirs"),
            &SecretString::from(PLAIN),
            &BTreeSet::new(),
        )
        .await
        .unwrap();
    let theirs = stored::value_key(&ns("other"), &name("theirs"), SecretVersion::FIRST);
    let mine = stored::value_key(&ns("default"), &name("mine"), SecretVersion::FIRST);
    let second = stored::value_key(&ns("default"), &name("mine"), SecretVersion::FIRST.next());
    for stolen in [&theirs, &second] {
        let row = secrets.store.get(stolen).await.unwrap().unwrap().value;
        secrets.store.put_if(&mine, Expect::Any, row).await.unwrap();
        let said = value(&secrets, "mine@1").await.unwrap_err();
        assert_eq!(
            said,
            "version 1 of the secret `mine` can't be decrypted: its row is damaged; set it again"
        );
    }
}

async fn refusal(store: &SharedStore, source: &MasterKeySource) -> String {
    Secrets::open(Arc::clone(store), source)
        .await
        .unwrap_err()
        .to_string()
}

fn write_key(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_wrong_or_missing_master_key_is_told_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(MASTER_KEY_FILE);
    let source = MasterKeySource::DataDirectory(directory.path().to_owned());
    let store = memory();
    Secrets::open(Arc::clone(&store), &source).await.unwrap();
    let right = fs::read_to_string(&path).unwrap();

    write_key(&path, &"ab".repeat(32), 0o600);
    assert!(
        refusal(&store, &source)
            .await
            .contains("is not the one the secrets of this data directory")
    );
    write_key(&path, "letmein", 0o600);
    assert!(
        refusal(&store, &source)
            .await
            .contains("is not a master key: it holds 64 hexadecimal digits")
    );
    write_key(&path, &right, 0o640);
    assert!(
        refusal(&store, &source)
            .await
            .contains("can be read by others (mode 640): chmod 600 it")
    );
    fs::remove_file(&path).unwrap();
    assert!(
        refusal(&store, &source)
            .await
            .contains("is missing, and there are secrets sealed with it")
    );
    assert!(!path.exists(), "no other key is made in its place");

    // The operator's own file, wherever it is.
    let elsewhere = directory.path().join("elsewhere");
    assert!(
        refusal(&store, &MasterKeySource::File(elsewhere.clone()))
            .await
            .contains("is missing")
    );
    write_key(&elsewhere, &right, 0o644);
    Secrets::open(store, &MasterKeySource::File(elsewhere))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_crash_between_the_key_and_its_check_is_no_matter() {
    let directory = tempfile::tempdir().unwrap();
    let source = MasterKeySource::DataDirectory(directory.path().to_owned());
    Secrets::open(memory(), &source).await.unwrap();
    // The file is there, the store has no check yet.
    Secrets::open(memory(), &source).await.unwrap();
}

#[tokio::test]
async fn nothing_shows_a_value() {
    let (secrets, _directory) = open().await;
    let json = format!("{{\"k\": \"{PLAIN}\"");
    set(&secrets, "broken", &json).await.unwrap();
    let broken = hold(&secrets, "broken:k").await.unwrap_err();
    set(&secrets, "s", PLAIN).await.unwrap();
    let held = hold(&secrets, "s").await.unwrap();
    let row = secrets
        .store
        .get(&stored::value_key(
            &ns("default"),
            &name("s"),
            SecretVersion::FIRST,
        ))
        .await;
    let row = row.unwrap().unwrap();
    let sealed = stored::decode_sealed(&row).unwrap();
    let summary = secrets.get(&ns("default"), &name("s")).unwrap();
    let text = SecretString::from(PLAIN);
    let mut shown = format!(
        "{secrets:?} {held:?} {:?} {row:?} {sealed:?} {summary:?} {text:?}",
        held.resolve()
    );
    shown.push_str(&format!("{broken:?} {broken}"));
    assert!(!shown.contains(PLAIN), "{shown}");
    assert!(
        !row.value
            .windows(8)
            .any(|window| window == &PLAIN.as_bytes()[..8])
    );
}

#[test]
fn references_are_read_and_written() {
    for good in ["a", "prod/weather", "a:b", "a@3", "a:b c.d@12", "a:b:c"] {
        assert_eq!(good.parse::<SecretReference>().unwrap().to_string(), good);
    }
    for bad in [
        "", "A", "a:", "a@", "a@0", "a@+1", "a@x", "@1", ":k", "a@1@2", "a@1:k",
    ] {
        assert!(bad.parse::<SecretReference>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn every_reference_round_trips(
        name in "[a-z0-9][a-z0-9_.-]{0,20}",
        key in proptest::option::of("[a-zA-Z0-9 _:]{1,20}"),
        version in proptest::option::of(1u64..),
    ) {
        let reference = SecretReference {
            name: name.parse().unwrap(),
            json_key: key,
            version: version.and_then(SecretVersion::new),
        };
        prop_assert_eq!(reference.to_string().parse::<SecretReference>().unwrap(), reference);
    }

    #[test]
    fn any_value_comes_back(value in "[^\0]{1,200}", scope in ".{0,20}", other in ".{0,20}") {
        let key = sealed::random_key().unwrap();
        let ciphertext = sealed::encrypt(&key, &scope, value.as_bytes()).unwrap();
        prop_assert_eq!(&*sealed::decrypt(&key, &scope, &ciphertext).unwrap(), value.as_bytes());
        if other != scope {
            prop_assert!(sealed::decrypt(&key, &other, &ciphertext).is_none());
        }
    }
}
