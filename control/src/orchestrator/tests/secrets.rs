//! A secret that is referred to stays.

use secrecy::SecretString;
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_secret_in_use_is_not_deleted_and_its_users_are_named() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    let name = "prod/key".parse().unwrap();
    orchestrator
        .set_secret(namespace, &name, &SecretString::from("hush"))
        .await
        .unwrap();
    let with = json!({"name": "api", "task": {"secrets": {"KEY": "prod/key"}}});
    let deployed = harbour.deploy("one", with).await.unwrap();
    harbour.ended(deployed).await;
    let refusal = refused(orchestrator.delete_secret(namespace, &name).await, "SecretInUse");
    assert!(
        refusal.message.contains("service `api` (api:1)"),
        "{}",
        refusal.message
    );
    assert!(!refusal.message.contains("hush"));
    // Once nothing current refers to it, it may go: an old revision doesn't count.
    let without = harbour
        .deploy("one", json!({"name": "api", "task": {}}))
        .await
        .unwrap();
    harbour.ended(without).await;
    orchestrator.delete_secret(namespace, &name).await.unwrap();
    let refusal = refused(
        orchestrator.delete_secret(namespace, &name).await,
        "SecretNotFound",
    );
    assert_eq!(refusal.message, "there is no secret `prod/key`");
    assert!(refusal.hint.unwrap().contains("wharf secret list"));
}
