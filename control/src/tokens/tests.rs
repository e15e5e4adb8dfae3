//! Tokens: made, found, revoked, and not to be had from what is stored.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;
use crate::store::tests::memory;

async fn open() -> (Tokens, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    (Tokens::open(memory(), data.path()).await.unwrap(), data)
}

fn of(namespace: &str) -> Scope {
    Scope::Namespace(namespace.parse().unwrap())
}

fn admin_token(data: &Path) -> String {
    fs::read_to_string(data.join(ADMIN_TOKEN_FILE))
        .unwrap()
        .trim()
        .to_owned()
}

#[tokio::test]
async fn the_first_start_writes_the_administrators_token() {
    let (tokens, data) = open().await;
    let token = admin_token(data.path());
    assert!(token.starts_with("wharf_") && token.len() == 49, "{token}");
    let principal = tokens.authenticate(&token).await.unwrap().unwrap();
    assert!(principal.is_administrator() && principal.may_use(&"any".parse().unwrap()));
    let mode = fs::metadata(data.path().join(ADMIN_TOKEN_FILE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_later_start_makes_no_other() {
    let data = tempfile::tempdir().unwrap();
    let store = memory();
    Tokens::open(Arc::clone(&store), data.path()).await.unwrap();
    fs::remove_file(data.path().join(ADMIN_TOKEN_FILE)).unwrap();
    let tokens = Tokens::open(store, data.path()).await.unwrap();
    assert!(!data.path().join(ADMIN_TOKEN_FILE).exists());
    assert_eq!(tokens.list(&Scope::Administrator).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_crash_after_the_file_keeps_its_token() {
    let data = tempfile::tempdir().unwrap();
    Tokens::open(memory(), data.path()).await.unwrap();
    let token = admin_token(data.path());
    let tokens = Tokens::open(memory(), data.path()).await.unwrap();
    assert_eq!(admin_token(data.path()), token);
    assert!(tokens.authenticate(&token).await.unwrap().is_some());

    fs::write(data.path().join(ADMIN_TOKEN_FILE), "wharf_short").unwrap();
    let refused = Tokens::open(memory(), data.path()).await.unwrap_err().to_string();
    assert!(
        refused.ends_with("is not a token: remove it, and the next start writes a new one"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_token_is_bound_to_its_namespace() {
    let (tokens, _data) = open().await;
    let made = tokens.create(of("team"), "CI").await.unwrap();
    let principal = tokens
        .authenticate(made.secret.expose_secret())
        .await
        .unwrap()
        .unwrap();
    assert!(principal.may_use(&"team".parse().unwrap()));
    assert!(!principal.may_use(&"other".parse().unwrap()) && !principal.is_administrator());
    assert_eq!(tokens.list(&of("team")).await.unwrap(), [made.summary]);
    assert!(tokens.list(&of("other")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_revoked_token_is_nobodys() {
    let (tokens, _data) = open().await;
    let made = tokens.create(of("team"), "CI").await.unwrap();
    let id = &made.summary.id;
    let foreign = tokens.revoke(&of("other"), id).await.unwrap_err().to_string();
    assert_eq!(foreign, format!("there is no token `{id}`"));
    tokens.revoke(&of("team"), id).await.unwrap();
    assert_eq!(
        tokens.authenticate(made.secret.expose_secret()).await.unwrap(),
        None
    );

    let made = [
        tokens.create(of("team"), "").await.unwrap(),
        tokens.create(of("team"), "").await.unwrap(),
    ];
    tokens.revoke_all(&"team".parse().unwrap()).await.unwrap();
    for token in made {
        assert_eq!(
            tokens.authenticate(token.secret.expose_secret()).await.unwrap(),
            None
        );
    }
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let (tokens, _data) = open().await;
    let first = tokens.list(&Scope::Administrator).await.unwrap().remove(0).id;
    let refused = tokens
        .revoke(&Scope::Administrator, &first)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("is the last administrator's token"), "{refused}");
    tokens.create(Scope::Administrator, "second").await.unwrap();
    tokens.revoke(&Scope::Administrator, &first).await.unwrap();
}

#[tokio::test]
async fn wrong_tokens_are_nobodys() {
    let (tokens, data) = open().await;
    let right = admin_token(data.path());
    let mut longer = right.clone();
    longer.push('A');
    for wrong in [
        "",
        "wharf_",
        "Bearer",
        &longer,
        &right[..right.len() - 1],
        &right.to_uppercase(),
        "\0",
    ] {
        assert_eq!(tokens.authenticate(wrong).await.unwrap(), None, "{wrong}");
    }
}

/// The id is found by a part of the hash; the rest has to be right as well.
#[tokio::test]
async fn a_token_that_shares_an_id_is_not_the_one() {
    let (tokens, data) = open().await;
    let right = admin_token(data.path());
    let key = key(id_of(&hash(&right)));
    let row = tokens.store.get(&key).await.unwrap().unwrap();
    let mut record = TokenRecord::decode(&row).unwrap();
    record
        .hash
        .replace_range(ID_DIGITS.., &"0".repeat(64 - ID_DIGITS));
    tokens
        .store
        .put_if(&key, Expect::Any, record.encode().into())
        .await
        .unwrap();
    assert_eq!(tokens.authenticate(&right).await.unwrap(), None);
}

#[tokio::test]
async fn the_store_and_debug_have_no_token() {
    let (tokens, data) = open().await;
    let made = tokens.create(of("team"), "CI").await.unwrap();
    let secret = made.secret.expose_secret().to_owned();
    let record = tokens.records().await.unwrap();
    let shown = format!("{tokens:?} {made:?} {record:?}");
    assert!(
        !shown.contains(&secret) && !shown.contains(&admin_token(data.path())),
        "{shown}"
    );
    for entry in tokens.store.list("").await.unwrap().entries {
        assert!(!String::from_utf8_lossy(&entry.value).contains(&secret[6..]));
    }
}

#[tokio::test]
async fn tokens_are_bounded() {
    let (tokens, _data) = open().await;
    let long = "x".repeat(MAX_DESCRIPTION + 1);
    assert!(matches!(
        tokens.create(of("team"), &long).await,
        Err(TokenError::Description(257))
    ));
    for _ in 0..MAX_TOKENS {
        tokens.create(of("team"), "").await.unwrap();
    }
    assert!(matches!(
        tokens.create(of("team"), "").await,
        Err(TokenError::TooMany)
    ));
    tokens.create(of("other"), "").await.unwrap();
    tokens.revoke_all(&"team".parse().unwrap()).await.unwrap();
    assert!(tokens.list(&of("team")).await.unwrap().is_empty());
}
