//! Namespaces beside each other: what is wrong in one keeps no other from changing what is theirs, nor is it told.

use super::*;

/// Two namespaces besides `default`.
struct Neighbours {
    harbour: Harbour,
    red: NamespaceName,
    blue: NamespaceName,
}

impl Neighbours {
    async fn open() -> Self {
        let harbour = Harbour::open().await;
        let [red, blue]: [NamespaceName; 2] = ["red", "blue"].map(|name| name.parse().unwrap());
        for name in [&red, &blue] {
            harbour.orchestrator.create_namespace(name.clone()).await.unwrap();
        }
        Self { harbour, red, blue }
    }

    /// Puts routes of `red` into the store as no version wrote them, and in force what of them can be.
    async fn force(&self, routes: &[serde_json::Value]) {
        let mut transaction = Transaction::new();
        for route in routes {
            let applied = Applied {
                definition: route.clone(),
                applied_at: Timestamp::now(),
            };
            let name = route["name"].as_str().unwrap().parse().unwrap();
            transaction = transaction.put(keys::route(&self.red, &name), applied.encode());
        }
        let store = &self.harbour.orchestrator.store;
        store.commit(transaction).await.unwrap();
        let objects = Objects::load(store).await.unwrap();
        self.harbour
            .orchestrator
            .edge
            .take_over(Arc::new(objects))
            .unwrap();
    }

    async fn apply(
        &self,
        namespace: &NamespaceName,
        objects: serde_json::Value,
    ) -> Result<AppliedChange, Refusal> {
        self.harbour.orchestrator.apply(namespace, objects).await
    }

    /// Changes in every other namespace, and to listeners.
    async fn others_change_theirs(&self, round: u32) {
        let path = format!("/{round}");
        let own = fixed("own", &path);
        self.apply(&NamespaceName::default_namespace(), json!({ "route": [own] }))
            .await
            .unwrap();
        self.apply(&self.blue, json!({ "route": [of("own", "blue", &path)] }))
            .await
            .unwrap();
        let name = format!("l{round}");
        let listener = json!({"name": name, "address": "127.0.0.1:0"});
        self.harbour
            .apply(json!({ "listener": [listener] }))
            .await
            .unwrap();
        let orchestrator = &self.harbour.orchestrator;
        let (route, listener) = (
            ObjectName::Route("own".parse().unwrap()),
            ObjectName::Listener(name.parse().unwrap()),
        );
        orchestrator.delete_object(&self.blue, &route).await.unwrap();
        orchestrator
            .delete_object(&self.harbour.namespace, &listener)
            .await
            .unwrap();
        let manifest = json!({"name": "api", "task": {}, "route": [{"host": ["api.test"], "path": [path]}]});
        self.harbour.deploy("one", manifest).await.unwrap();
    }
}

/// A route of a namespace's own host.
fn of(name: &str, namespace: &str, path: &str) -> serde_json::Value {
    json!({"name": name, "host": [format!("a.{namespace}.localhost")], "path": [path], "fixed": {"status": 404}})
}

fn to_nobody(name: &str, namespace: &str) -> serde_json::Value {
    let mut route = of(name, namespace, &format!("/{name}"));
    route.as_object_mut().unwrap().remove("fixed");
    route["forward"] = json!([{"service": "nobody"}]);
    route
}

#[tokio::test]
async fn targets_at_the_hosts_own_addresses_are_for_the_operator() {
    let harbour = Harbour::open().await;
    let tenant: NamespaceName = "tenant".parse().unwrap();
    harbour
        .orchestrator
        .create_namespace(tenant.clone())
        .await
        .unwrap();
    let group = |url: &str| json!({"target_group": [{"name": "legacy", "targets": [url]}]});
    for url in [
        "http://127.0.0.1:7070",
        "http://169.254.169.254",
        "http://[::1]:80",
        "http://0.0.0.0:80",
    ] {
        refused(
            harbour.orchestrator.apply(&tenant, group(url)).await,
            "TargetUnusable",
        );
        harbour.apply(group(url)).await.unwrap();
    }
    let other = harbour
        .orchestrator
        .apply(&tenant, group("http://10.0.0.1:80"))
        .await;
    assert_eq!(other.unwrap().created, 1);
}

#[tokio::test]
async fn what_leads_nowhere_in_a_namespace_is_its_own_to_mend() {
    let neighbours = Neighbours::open().await;
    let Neighbours { harbour, red, .. } = &neighbours;
    neighbours
        .force(&[to_nobody("one", "red"), to_nobody("two", "red")])
        .await;
    neighbours.others_change_theirs(1).await;
    let another = json!({"route": [of("three", "red", "/three")]});
    let refusal = refused(neighbours.apply(red, another).await, "DestinationNotFound");
    assert!(refusal.message.contains("`one`"), "{refusal}");
    // One after the other.
    for name in ["one", "two"] {
        let route = ObjectName::Route(name.parse().unwrap());
        harbour.orchestrator.delete_object(red, &route).await.unwrap();
    }
    neighbours
        .apply(red, json!({"route": [of("three", "red", "/three")]}))
        .await
        .unwrap();
}

#[tokio::test]
async fn routes_at_odds_in_a_namespace_are_its_own_to_mend() {
    let neighbours = Neighbours::open().await;
    let red = &neighbours.red;
    neighbours
        .force(&[
            of("one", "red", "/"),
            of("two", "red", "/"),
            of("three", "red", "/"),
        ])
        .await;
    neighbours.others_change_theirs(1).await;
    let another = json!({"route": [of("four", "red", "/four")]});
    let refusal = refused(neighbours.apply(red, another.clone()).await, "RouteInUse");
    assert!(refusal.message.contains("red/routes/"), "{refusal}");
    for name in ["one", "three"] {
        let route = ObjectName::Route(name.parse().unwrap());
        let orchestrator = &neighbours.harbour.orchestrator;
        orchestrator.delete_object(red, &route).await.unwrap();
    }
    neighbours.apply(red, another).await.unwrap();
}

#[tokio::test]
async fn a_definition_that_cannot_be_used_keeps_only_itself_down() {
    let neighbours = Neighbours::open().await;
    let Neighbours { harbour, blue, .. } = &neighbours;
    let deployed = harbour.deploy("one", json!({"name": "lost", "task": {}})).await;
    harbour.ended(deployed.unwrap()).await;
    let transaction = Transaction::new().delete_prefix(keys::bundles(&harbour.namespace));
    harbour.orchestrator.store.commit(transaction).await.unwrap();
    neighbours
        .apply(blue, json!({"route": [of("own", "blue", "/")]}))
        .await
        .unwrap();
    let mended = harbour.deploy("two", json!({"name": "lost", "task": {}})).await;
    mended.unwrap();
}

#[tokio::test]
async fn a_listener_is_kept_for_routes_of_every_namespace() {
    let neighbours = Neighbours::open().await;
    let Neighbours { harbour, red, .. } = &neighbours;
    let listener = json!([{"name": "shared", "address": "127.0.0.1:0"}]);
    harbour.apply(json!({ "listener": listener })).await.unwrap();
    let mut route = of("on", "red", "/");
    route["listener"] = json!(["shared"]);
    neighbours.apply(red, json!({ "route": [route] })).await.unwrap();
    let shared = ObjectName::Listener("shared".parse().unwrap());
    let orchestrator = &harbour.orchestrator;
    let refusal = refused(
        orchestrator.delete_object(&harbour.namespace, &shared).await,
        "ResourceInUse",
    );
    assert!(
        refusal.message.contains("route `on` of namespace `red`"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_change_of_listeners_answers_for_every_namespaces_routes() {
    let neighbours = Neighbours::open().await;
    let Neighbours { harbour, red, blue } = &neighbours;
    // Its default is of namespace `default`, whoever applies it.
    let to_nobody = json!({"forward": [{"service": "nobody"}]});
    let listener = json!([{"name": "new", "address": "127.0.0.1:0", "default": to_nobody}]);
    refused(
        neighbours.apply(blue, json!({ "listener": listener })).await,
        "DestinationNotFound",
    );
    // Where there is one listener only, the redirect hides what comes after it.
    let listener = json!([{"name": "second", "address": "127.0.0.1:0"}]);
    harbour.apply(json!({ "listener": listener })).await.unwrap();
    let mut first = of("first", "red", "/");
    first["priority"] = json!(1);
    first["listener"] = json!(["http"]);
    neighbours
        .apply(red, json!({ "route": [first, of("after", "red", "/")] }))
        .await
        .unwrap();
    let second = ObjectName::Listener("second".parse().unwrap());
    let orchestrator = &harbour.orchestrator;
    let refusal = refused(
        orchestrator.delete_object(&harbour.namespace, &second).await,
        "RouteInUse",
    );
    assert!(refusal.message.contains("red/routes/after"), "{refusal}");
}

#[tokio::test]
async fn what_listens_on_the_host_is_for_the_operators_tasks() {
    let Neighbours { mut harbour, red, .. } = Neighbours::open().await;
    let manifest = |rule: &str| json!({"name": "api", "task": {"egress": [rule]}});
    let own = manifest("http://127.0.0.1:7070");
    harbour.deploy("one", own.clone()).await.unwrap();
    harbour.namespace = red;
    let refusal = refused(harbour.deploy("one", own).await, "EgressUnusable");
    assert_eq!(refusal.field.as_deref(), Some("task.egress"));
    harbour
        .deploy("one", manifest("http://10.0.0.1:7070"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_damaged_service_is_left_out() {
    let neighbours = Neighbours::open().await;
    let damaged = keys::service(&neighbours.red, &"broken".parse().unwrap());
    let store = &neighbours.harbour.orchestrator.store;
    store.commit(Transaction::new().put(damaged, "{")).await.unwrap();
    neighbours.others_change_theirs(1).await;
    // It is shown as what it is, beside the others.
    let orchestrator = &neighbours.harbour.orchestrator;
    let services = orchestrator.services(&neighbours.red).await.unwrap();
    let [damaged] = services.damaged.as_slice() else {
        panic!("{services:?}")
    };
    assert_eq!(damaged.name, "broken");
    assert!(
        damaged.error.to_string().contains("can't be read"),
        "{}",
        damaged.error
    );
    // Nor does it keep down what else its own namespace has.
    let own = json!({ "route": [of("own", "red", "/own")] });
    neighbours.apply(&neighbours.red, own).await.unwrap();
}
