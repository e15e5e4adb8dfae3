//! Lines of the log.

use crate::test::{Host, get};
use crate::{Error, Result, client};
use serde_json::{Value, json};
use tracing::{debug, error_span, info, info_span, warn};

fn lines(host: &Host) -> Vec<Value> {
    let log = host.log();
    log.iter()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

#[test]
fn an_event_is_a_line_with_level_fields_and_ids() {
    async fn handle() {
        warn!(city = "São \"Paulo\"", ms = 812, share = 0.5, ok = true, left = -1, all = ?[1, 2], "slow {}", "upstream");
    }
    let host = Host::new();
    let call = get("/")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("x-request-id", "r-1");
    host.call(handle, call);
    let expected = json!({
        "level": "warn", "message": "slow upstream", "target": "wharf::log::tests",
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "requestId": "r-1",
        "fields": { "city": "São \"Paulo\"", "ms": 812, "share": 0.5, "ok": true, "left": -1, "all": "[1, 2]" },
    });
    assert_eq!(lines(&host), [expected]);
}

#[test]
fn spans_add_their_names_and_fields() {
    let host = Host::new();
    host.block_on(async {
        let outer = info_span!("order", id = 7, total = tracing::field::Empty);
        let entered = outer.enter();
        outer.record("total", 99);
        error_span!("item", name = "tea").in_scope(|| info!(count = 2, "packed"));
        info!("sent");
        drop(entered);
        info!("after");
    });
    let [packed, sent, after] = lines(&host).try_into().unwrap();
    assert_eq!(packed["span"], "order:item");
    assert_eq!(
        packed["fields"],
        json!({ "id": 7, "total": 99, "name": "tea", "count": 2 })
    );
    assert_eq!(
        (&sent["span"], &sent["fields"]),
        (&json!("order"), &json!({ "id": 7, "total": 99 }))
    );
    assert_eq!(
        (after.get("span"), after.get("fields"), after.get("traceId")),
        (None, None, None)
    );
}

#[test]
fn the_environment_says_how_much_is_told() {
    let said = |host: Host| {
        host.block_on(async {
            debug!("d");
            info!("i");
            warn!("w");
        });
        let messages = lines(&host)
            .into_iter()
            .map(|line| line["message"].as_str().unwrap().to_owned());
        messages.collect::<String>()
    };
    assert_eq!(said(Host::new()), "iw");
    assert_eq!(said(Host::new().env("LOG_LEVEL", "debug")), "diw");
    assert_eq!(said(Host::new().env("LOG_LEVEL", "warn")), "w");
    assert_eq!(said(Host::new().env("LOG_LEVEL", "off")), "");
    assert_eq!(said(Host::new().env("LOG_LEVEL", "loud")), "iw");
}

#[test]
fn an_error_that_the_client_is_not_told_is_a_line() {
    async fn handle() -> Result<()> {
        client::get("https://api.example.com/?key=k").send().await?;
        Ok(())
    }
    let host = Host::new();
    let answer = host.call(handle, get("/").header("x-request-id", "r-2"));
    assert_eq!(
        (answer.status().as_u16(), answer.text()),
        (500, r#"{"error":"internal error"}"#)
    );
    let message = "request to https://api.example.com: not allowed: name it under `egress` in wharf.toml";
    assert_eq!(
        lines(&host),
        [json!({ "level": "error", "message": message, "requestId": "r-2" })]
    );
    host.call(
        async || Err::<(), _>(Error::new(crate::StatusCode::NOT_FOUND, "no")),
        get("/"),
    );
    assert!(lines(&host).is_empty());
}
