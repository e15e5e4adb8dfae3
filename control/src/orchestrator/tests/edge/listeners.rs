//! Listeners: opened before anything is written, changed, deleted when nothing is on them.

use std::net::SocketAddr;

use super::*;

impl Harbour {
    /// Where a listener listens.
    fn address(&self, name: &str) -> Option<SocketAddr> {
        let listeners = self.orchestrator.edge.listeners();
        let found = listeners.iter().find(|of| of.name.as_str() == name);
        found.and_then(|of| of.address)
    }
}

#[tokio::test]
async fn a_listener_that_cannot_be_opened_changes_nothing() {
    let harbour = Harbour::open().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ask = json!({
        "listener": [{"name": "free", "address": "127.0.0.1:0"}, {"name": "taken", "address": address}],
        "route": [fixed("one", "/one")],
    });
    let refusal = refused(harbour.apply(ask.clone()).await, "ListenerUnusable");
    assert!(refusal.message.contains(&address), "{refusal}");
    let edge = &harbour.orchestrator.edge;
    let names = || {
        edge.listeners()
            .iter()
            .map(|of| of.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!((names(), harbour.met("/one")), (vec!["http".to_owned()], None));
    drop(taken);
    harbour.apply(ask).await.unwrap();
    assert_eq!(names(), ["free", "http", "taken"]);
    assert!(
        edge.listeners()
            .iter()
            .all(|of| of.address.is_some() && of.error.is_none())
    );
}

#[tokio::test]
async fn a_redirect_to_the_port_that_its_listener_was_given_is_refused() {
    let harbour = Harbour::open().await;
    let listener = json!([{"name": "any", "address": "127.0.0.1:0"}]);
    harbour.apply(json!({ "listener": listener })).await.unwrap();
    let port = harbour.address("any").unwrap().port();
    let redirect = |port: u16| {
        json!({"route": [{"name": "away", "listener": ["any"],
                          "redirect": {"status": 302, "port": port.to_string()}}]})
    };
    let refusal = refused(harbour.apply(redirect(port)).await, "RouteInUse");
    assert!(
        refusal.message.contains("default/routes/away") && refusal.message.contains("listener `any`"),
        "{refusal}"
    );
    let other = if port == 443 { 8443 } else { 443 };
    harbour.apply(redirect(other)).await.unwrap();
}

#[tokio::test]
async fn a_listener_is_deleted_when_no_route_is_on_it() {
    let harbour = Harbour::open().await;
    let listener = json!([{"name": "taken", "address": "127.0.0.1:0"}]);
    harbour.apply(json!({ "listener": listener })).await.unwrap();
    let address_of_it = harbour.address("taken").unwrap();
    let on = json!({"route": [{"name": "on", "listener": ["taken"], "fixed": {"status": 200}}]});
    harbour.apply(on).await.unwrap();
    let taken = ObjectName::Listener("taken".parse().unwrap());
    let refusal = refused(
        harbour
            .orchestrator
            .delete_object(&harbour.namespace, &taken)
            .await,
        "ResourceInUse",
    );
    assert!(refusal.message.contains("route `on`"), "{refusal}");
    let route = ObjectName::Route("on".parse().unwrap());
    harbour
        .orchestrator
        .delete_object(&harbour.namespace, &route)
        .await
        .unwrap();
    harbour
        .orchestrator
        .delete_object(&harbour.namespace, &taken)
        .await
        .unwrap();
    assert_eq!(harbour.address("taken"), None);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::net::TcpListener::bind(address_of_it).is_err() {
        assert!(std::time::Instant::now() < deadline, "its address is never free");
        tokio::task::yield_now().await;
    }
    let http = ObjectName::Listener("http".parse().unwrap());
    refused(
        harbour
            .orchestrator
            .delete_object(&harbour.namespace, &http)
            .await,
        "ListenerInUse",
    );
}

#[tokio::test]
async fn two_listeners_change_places_at_once_or_not_at_all() {
    let harbour = Harbour::open().await;
    let listener = |name: &str, address: String| json!({"name": name, "address": address});
    let anywhere = || "127.0.0.1:0".to_owned();
    harbour
        .apply(json!({"listener": [listener("one", anywhere()), listener("two", anywhere())]}))
        .await
        .unwrap();
    let (one, two) = (harbour.address("one").unwrap(), harbour.address("two").unwrap());
    // By number: port 0 would be another one each time.
    let there = [listener("one", one.to_string()), listener("two", two.to_string())];
    harbour.apply(json!({ "listener": there })).await.unwrap();
    let exchanged = [listener("one", two.to_string()), listener("two", one.to_string())];
    // With one that can't be opened, those that were changed already go back.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let third = listener("three", taken.local_addr().unwrap().to_string());
    let [first, second] = exchanged.clone();
    let refusal = refused(
        harbour.apply(json!({"listener": [first, second, third]})).await,
        "ListenerUnusable",
    );
    assert!(refusal.message.contains("listener `three`"), "{refusal}");
    let addresses = || (harbour.address("one").unwrap(), harbour.address("two").unwrap());
    assert_eq!(addresses(), (one, two));
    harbour.apply(json!({ "listener": exchanged })).await.unwrap();
    assert_eq!(addresses(), (two, one));
}

#[tokio::test]
async fn a_listener_is_told_who_listens_where_it_shall() {
    let harbour = Harbour::open().await;
    let staying = json!({"name": "staying", "address": "127.0.0.1:0"});
    harbour.apply(json!({"listener": [staying]})).await.unwrap();
    let there = harbour.address("staying").unwrap().to_string();
    let coming = json!({"name": "coming", "address": there});
    let refusal = refused(
        harbour.apply(json!({"listener": [coming]})).await,
        "ListenerUnusable",
    );
    let hint = refusal.hint.unwrap();
    assert!(
        hint.contains("listener `staying` listens there") && hint.contains("in an apply of its own"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_listener_that_was_changed_ahead_stays_so_while_services_are_exposed() {
    let harbour = Harbour::open().await;
    let on = |host: &str| json!({"listener": [{"name": "moves", "address": format!("{host}:0")}]});
    harbour.apply(on("127.0.0.1")).await.unwrap();
    let edge = &harbour.orchestrator.edge;
    let mut after = (*edge.objects()).clone();
    let moved = crate::manifest::objects_from_json(on("127.0.0.2")).unwrap();
    after.put(&harbour.namespace, moved).unwrap();
    let ahead = edge.listen_ahead(&after).unwrap();
    let there = harbour.address("moves").unwrap();
    assert_eq!(there.ip().to_string(), "127.0.0.2");
    let expose = |name: &str| {
        let key = (harbour.namespace.clone(), name.parse().unwrap());
        let served = crate::edge::Served::unreleased(&key.0, &key.1).unwrap();
        edge.expose(vec![(key, Some(served))]).unwrap();
    };
    expose("one");
    assert_eq!(harbour.address("moves"), Some(there));
    ahead.take_over(Arc::new(after)).unwrap();
    expose("two");
    assert_eq!(harbour.address("moves"), Some(there));
}

#[tokio::test]
async fn a_listener_that_was_changed_ahead_in_vain_is_as_it_was() {
    let harbour = Harbour::open().await;
    let on = |host: &str| json!({"listener": [{"name": "moves", "address": format!("{host}:0")}]});
    harbour.apply(on("127.0.0.1")).await.unwrap();
    let edge = &harbour.orchestrator.edge;
    let mut after = (*edge.objects()).clone();
    let moved = crate::manifest::objects_from_json(on("127.0.0.2")).unwrap();
    after.put(&harbour.namespace, moved).unwrap();
    drop(edge.listen_ahead(&after).unwrap());
    assert_eq!(harbour.address("moves").unwrap().ip().to_string(), "127.0.0.1");
    // It is no different from any other afterwards.
    harbour.apply(on("127.0.0.3")).await.unwrap();
    assert_eq!(harbour.address("moves").unwrap().ip().to_string(), "127.0.0.3");
}

/// Whoever follows it comes to the same listener, and is sent there again.
#[tokio::test]
async fn no_redirect_leads_to_the_port_of_its_own_listener() {
    let harbour = Harbour::open().await;
    let port = harbour.address("http").unwrap().port();
    let redirect = |to: u16| {
        let action = json!({"status": 301, "port": to.to_string()});
        json!({"route": [{"name": "round", "listener": ["http"], "redirect": action}]})
    };
    let refusal = refused(harbour.apply(redirect(port)).await, "RouteInUse");
    let said = format!(
        "rule `{}/routes/round`, action: the redirect leads to port {port}, where",
        harbour.namespace
    );
    assert!(
        refusal.message.starts_with("listener `http`") && refusal.message.contains(&said),
        "{refusal}"
    );
    harbour.apply(redirect(port ^ 1)).await.unwrap();
}
