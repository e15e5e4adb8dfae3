//! What is applied: all or none, refused naming both, in force, deleted only when nothing needs it.

mod listeners;
mod services;
mod sticky;
mod tenants;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_gateway::RequestSample;

use super::*;
use crate::edge::Objects;
use crate::model::stored::Record as _;
use crate::model::{Applied, keys};
use crate::store::Transaction;

/// Longer than a client waits on any machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

impl Harbour {
    async fn apply(&self, objects: serde_json::Value) -> Result<AppliedChange, Refusal> {
        self.orchestrator.apply(&self.namespace, objects).await
    }

    /// The route that a request of this path meets.
    fn met(&self, path: &str) -> Option<String> {
        let sample = RequestSample {
            listener: wharf_gateway::ListenerName::new("http").unwrap(),
            method: http::Method::GET,
            host: "a.test".to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: http::HeaderMap::new(),
            source: [127, 0, 0, 1].into(),
        };
        let explanation = self.orchestrator.edge.explain(&sample).unwrap().unwrap();
        explanation.matched.map(|ranked| ranked.rule.to_string())
    }
}

fn fixed(name: &str, path: &str) -> serde_json::Value {
    json!({"name": name, "path": [path], "fixed": {"status": 404}})
}

#[tokio::test]
async fn what_is_applied_is_in_force_and_after_a_restart_again() {
    let harbour = Harbour::open().await;
    let came_to = harbour
        .apply(json!({"route": [fixed("one", "/one"), fixed("two", "/two")]}))
        .await
        .unwrap();
    assert_eq!((came_to.created, came_to.updated, came_to.unchanged), (2, 0, 0));
    assert_eq!(harbour.met("/two").as_deref(), Some("default/routes/two"));
    let came_to = harbour
        .apply(json!({"route": [fixed("one", "/one"), fixed("two", "/zwei")]}))
        .await
        .unwrap();
    assert_eq!((came_to.created, came_to.updated, came_to.unchanged), (0, 1, 1));
    assert_eq!(
        (harbour.met("/two"), harbour.met("/zwei").is_some()),
        (None, true)
    );
    let stored = Objects::load(&harbour.orchestrator.store).await.unwrap();
    let names: Vec<&str> = stored.routes.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(
        stored
            .routes
            .values()
            .last()
            .unwrap()
            .route
            .conditions
            .to_string(),
        "path /zwei"
    );
}

#[tokio::test]
async fn one_bad_object_leaves_everything_as_it_was() {
    let harbour = Harbour::open().await;
    let refusal = refused(
        harbour
            .apply(json!({"route": [fixed("one", "/one"), {"name": "two", "priority": 0, "fixed": {"status": 404}}]}))
            .await,
        "InvalidManifest",
    );
    assert_eq!(refusal.field.as_deref(), Some("route[1].priority"));
    let refusal = refused(
        harbour
            .apply(
                json!({"route": [fixed("one", "/one"), {"name": "two", "forward": [{"service": "nobody"}]}]}),
            )
            .await,
        "DestinationNotFound",
    );
    assert!(
        refusal.message.contains("route `two`") && refusal.message.contains("service `nobody`"),
        "{refusal}"
    );
    refused(
        harbour
            .apply(json!({"route": [{"name": "two", "listener": ["tls"], "fixed": {"status": 404}}]}))
            .await,
        "ListenerNotFound",
    );
    assert_eq!(harbour.met("/one"), None);
    assert!(
        harbour
            .orchestrator
            .store
            .list("routes/")
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}

#[tokio::test]
async fn a_redirect_takes_a_host_over_on_one_listener_of_several() {
    let harbour = Harbour::open().await;
    let shop = json!({"name": "shop", "path": ["/shop"], "fixed": {"status": 404}});
    let redirect = |listeners: serde_json::Value| {
        json!({"name": "to-https", "listener": listeners, "path": ["/shop"], "priority": 1,
               "redirect": {"status": 301, "protocol": "HTTPS"}})
    };
    let other = json!({"name": "other", "address": "127.0.0.1:0"});
    let objects = json!({"listener": [other], "route": [shop.clone(), redirect(json!(["http"]))]});
    harbour.apply(objects).await.unwrap();
    assert_eq!(harbour.met("/shop").as_deref(), Some("default/routes/to-https"));
    let everywhere = json!({"route": [shop, redirect(json!(["http", "other"]))]});
    let refusal = refused(harbour.apply(everywhere).await, "RouteInUse");
    assert!(
        refusal.message.contains("default/routes/shop")
            && refusal.message.contains("default/routes/to-https"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_reordering_undoes_no_change_that_comes_between() {
    let harbour = Harbour::open().await;
    harbour
        .apply(json!({"route": [fixed("one", "/0")]}))
        .await
        .unwrap();
    for round in 1..=50 {
        let path = format!("/{round}");
        let change = harbour.apply(json!({"route": [fixed("one", &path)]}));
        let priorities = BTreeMap::from([("one".to_owned(), round)]);
        let reordering = harbour.orchestrator.prioritise(&harbour.namespace, priorities);
        let (reordered, changed) = tokio::join!(reordering, change);
        reordered.unwrap();
        changed.unwrap();
        assert!(
            harbour.met(&path).is_some(),
            "the change of round {round} is undone"
        );
    }
}

#[tokio::test]
async fn routes_at_odds_in_the_store_keep_no_others_down() {
    let harbour = Harbour::open().await;
    harbour
        .apply(json!({"route": [fixed("one", "/one"), fixed("three", "/three")]}))
        .await
        .unwrap();
    // As no version wrote it.
    let applied = Applied {
        definition: fixed("two", "/one"),
        applied_at: Timestamp::now(),
    };
    let key = keys::route(&harbour.namespace, &"two".parse().unwrap());
    let store = &harbour.orchestrator.store;
    store
        .commit(Transaction::new().put(key, applied.encode()))
        .await
        .unwrap();
    let objects = Objects::load(store).await.unwrap();
    let edge = &harbour.orchestrator.edge;
    edge.take_over(Arc::new(objects)).unwrap();
    assert!(harbour.met("/three").is_some());
    let left_out: Vec<String> = edge.left_out().keys().map(ToString::to_string).collect();
    assert_eq!(left_out, ["default/routes/two"]);
    // It is there to be changed, and is in force again then.
    harbour
        .apply(json!({"route": [fixed("two", "/two")]}))
        .await
        .unwrap();
    assert!(harbour.met("/two").is_some());
    assert!(edge.left_out().is_empty());
}

#[tokio::test]
async fn whoever_comes_first_to_a_new_listener_meets_its_rules() {
    let harbour = Harbour::open().await;
    harbour
        .apply(json!({"route": [{"name": "all", "fixed": {"status": 418}}]}))
        .await
        .unwrap();
    for round in 0..10 {
        // Held for as long as the round: nobody else is given this port, and who asks for it by number may listen there.
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.set_reuseaddr(true).unwrap();
        held.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let free = held.local_addr().unwrap();
        let name = format!("new-{round}");
        let objects = json!({"listener": [{"name": name, "address": free.to_string()}]});
        let client = tokio::spawn(async move {
            let mut stream = loop {
                match tokio::net::TcpStream::connect(free).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        });
        harbour.apply(objects).await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, client).await.unwrap().unwrap();
        assert!(
            answer.starts_with("HTTP/1.0 418") || answer.starts_with("HTTP/1.1 418"),
            "{answer}"
        );
        drop(held);
    }
}

#[tokio::test]
async fn priorities_are_exchanged_at_once() {
    let harbour = Harbour::open().await;
    let ranked = |name: &str, priority: i64, method: &str| json!({"name": name, "priority": priority, "method": [method], "fixed": {"status": 404}});
    harbour
        .apply(json!({"route": [ranked("one", 1, "GET"), ranked("two", 2, "POST")]}))
        .await
        .unwrap();
    let set = |priorities: &[(&str, i64)]| {
        priorities
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect()
    };
    let orchestrator = &harbour.orchestrator;
    let refusal = refused(
        orchestrator
            .prioritise(&harbour.namespace, set(&[("one", 2)]))
            .await,
        "RouteInUse",
    );
    assert!(refusal.message.contains("priority 2"), "{refusal}");
    orchestrator
        .prioritise(&harbour.namespace, set(&[("one", 2), ("two", 1)]))
        .await
        .unwrap();
    let objects = orchestrator.edge.objects();
    let priorities: Vec<u16> = objects
        .routes
        .values()
        .map(|of| of.route.priority.unwrap().get())
        .collect();
    assert_eq!(priorities, [2, 1]);
    refused(
        orchestrator
            .prioritise(&harbour.namespace, set(&[("three", 1)]))
            .await,
        "RouteNotFound",
    );
}

#[tokio::test]
async fn ten_thousand_routes_go_in_one_transaction() {
    let harbour = Harbour::open().await;
    let route = |at: usize| {
        json!({"name": format!("r{at}"), "host": [format!("h{}.test", at % 100)], "path": [format!("/{at}/*")],
               "fixed": {"status": 404}})
    };
    let routes: Vec<_> = (0..10_000).map(route).collect();
    let before = harbour.orchestrator.store.list("").await.unwrap().revision;
    let came_to = harbour.apply(json!({"route": routes})).await.unwrap();
    assert_eq!(came_to.created, 10_000);
    let after = harbour.orchestrator.store.list("routes/").await.unwrap();
    assert_eq!((after.entries.len(), after.revision), (10_000, before.next()));
}

#[tokio::test]
async fn what_is_damaged_in_the_store_is_deleted_like_anything_else() {
    let harbour = Harbour::open().await;
    let tenant: NamespaceName = "tenant".parse().unwrap();
    let orchestrator = &harbour.orchestrator;
    orchestrator.create_namespace(tenant.clone()).await.unwrap();
    let objects = || {
        [
            ObjectName::Route("broken".parse().unwrap()),
            ObjectName::TargetGroup("broken".parse().unwrap()),
            ObjectName::Listener("broken".parse().unwrap()),
        ]
    };
    let damage = async || {
        let mut transaction = Transaction::new();
        for key in [
            keys::route(&tenant, &"broken".parse().unwrap()),
            keys::target_group(&tenant, &"broken".parse().unwrap()),
            keys::listener(&"broken".parse().unwrap()),
        ] {
            transaction = transaction.put(key, "{");
        }
        orchestrator.store.commit(transaction).await.unwrap();
    };
    damage().await;
    for object in objects() {
        orchestrator.delete_object(&tenant, &object).await.unwrap();
        let gone = orchestrator.delete_object(&tenant, &object).await.unwrap_err();
        assert_eq!(gone.kind, crate::refusal::Kind::NotFound, "{gone}");
    }
    // With the namespace, whoever comes next by its name doesn't inherit them.
    damage().await;
    orchestrator.delete_namespace(&tenant).await.unwrap();
    for prefix in [keys::ROUTES, keys::TARGET_GROUPS] {
        assert!(
            orchestrator.store.list(prefix).await.unwrap().entries.is_empty(),
            "{prefix}"
        );
    }
}

#[tokio::test]
async fn a_namespace_has_so_many_regular_expressions() {
    let harbour = Harbour::open().await;
    let many = |name: &str, count: usize| {
        let expressions: Vec<String> = (0..count).map(|number| format!("^{name}{number}$")).collect();
        json!({"name": name, "header_regex": {"x-a": expressions}, "fixed": {"status": 404}})
    };
    harbour
        .apply(json!({"route": [many("one", 1000), many("two", 999)]}))
        .await
        .unwrap();
    let refusal = refused(
        harbour.apply(json!({"route": [many("three", 2)]})).await,
        "LimitExceeded",
    );
    for words in ["`header_regex`", "2001 regular expressions", "up to 2000"] {
        assert!(refusal.message.contains(words), "{refusal}");
    }
    harbour.apply(json!({"route": [many("three", 1)]})).await.unwrap();
    // Within one file compiling ends there.
    let file = json!({"route": [many("four", 1000), many("five", 1000), many("six", 1000)]});
    let refusal = refused(harbour.apply(file).await, "InvalidManifest");
    assert_eq!(refusal.field.as_deref(), Some("route[2].header_regex.x-a[0]"));
}
