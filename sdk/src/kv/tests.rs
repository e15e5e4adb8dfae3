use super::*;
use crate::test::Host;
use serde::Deserialize;
use std::future::Future;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Note {
    text: String,
}

fn note(text: &str) -> Note {
    Note {
        text: text.to_owned(),
    }
}

fn run<F: Future<Output = Result<(), Error>>>(test: F) {
    Host::new().block_on(test).unwrap();
}

#[test]
fn values_are_json_or_bytes() {
    run(async {
        assert_eq!(get::<Note>("a").await?, None);
        set("a", &note("one")).await?;
        assert_eq!(get("a").await?, Some(note("one")));
        assert_eq!(get_bytes("a").await?.unwrap(), r#"{"text":"one"}"#);
        set_bytes("b", [0, 255]).await?;
        assert_eq!(get_bytes("b").await?.unwrap(), [0, 255].as_slice());
        let wrong = get::<Note>("b").await.unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Json);
        assert!(wrong.to_string().starts_with("kv: the value of `b`: "), "{wrong}");
        assert_eq!((delete("a").await?, delete("a").await?), (true, false));
        assert_eq!(get::<Note>("a").await?, None);
        Ok(())
    });
}

#[test]
fn a_swap_takes_the_version_it_was_read_at() {
    run(async {
        let first = swap("k", None, "a").await?.unwrap();
        assert_eq!(swap("k", None, "b").await?, None);
        let read: Versioned<String> = read("k").await?.unwrap();
        assert_eq!((read.value.as_str(), read.version), ("a", first));
        let second = swap("k", Some(first), "b").await?.unwrap();
        assert_eq!(swap("k", Some(first), "c").await?, None);
        delete("k").await?;
        assert_eq!(swap("k", Some(second), "c").await?, None);
        Ok(())
    });
}

#[test]
fn an_update_is_made_anew_of_what_others_wrote() {
    run(async {
        set("n", &1).await?;
        let mut seen = Vec::new();
        let sum = update("n", |n: Option<i64>| {
            seen.push(n);
            if seen.len() == 1 {
                // Another comes first.
                host::kv::set("n", b"10", None).unwrap();
            }
            n.unwrap_or_default() + 1
        });
        assert_eq!(sum.await?, 11);
        assert_eq!(seen, [Some(1), Some(10)]);
        let mut tries = 0;
        let contended = update("n", |_: Option<i64>| {
            tries += 1;
            host::kv::set("n", b"0", None).unwrap();
            1
        });
        assert_eq!(contended.await.unwrap_err().kind(), ErrorKind::Contended);
        assert_eq!(tries, MAX_UPDATE_TRIES);
        Ok(())
    });
}

#[test]
fn what_expires_goes_with_the_host_s_time() {
    let host = Host::new();
    let test = async {
        let minute = expiring(Duration::from_secs(60));
        minute.set("a", "x").await?;
        assert_eq!(minute.increment("n", 2).await?, 2);
        crate::sleep(Duration::from_secs(59)).await;
        assert_eq!(minute.increment("n", 2).await?, 4);
        assert_eq!(get::<String>("a").await?.as_deref(), Some("x"));
        crate::sleep(Duration::from_secs(1)).await;
        assert_eq!((get::<String>("a").await?, get::<i64>("n").await?), (None, None));
        assert!(minute.swap("a", None, "y").await?.is_some());
        // What is set without a time stays.
        set("a", "z").await?;
        crate::sleep(Duration::from_secs(61)).await;
        assert_eq!(get::<String>("a").await?.as_deref(), Some("z"));
        Ok::<_, Error>(())
    };
    host.block_on(test).unwrap();
}

#[test]
fn a_listing_goes_on_where_it_ended() {
    run(async {
        for n in 0..150 {
            set(&format!("n/{n:03}"), &n).await?;
        }
        set("o", &0).await?;
        let first: Page<u32> = list("n/").page().await?;
        assert_eq!((first.entries.len(), first.next.as_deref()), (100, Some("n/099")));
        let last = list("n/").after("n/099").limit(1000).page::<u32>().await?;
        assert_eq!((last.entries.len(), last.next), (50, None));
        assert_eq!(
            (last.entries[0].key.as_str(), last.entries[0].value),
            ("n/100", 100)
        );
        let bytes = list("o").page_bytes().await?;
        assert_eq!(bytes.entries[0].value, "0");
        assert_eq!(
            list("").limit(0).page::<u32>().await.unwrap_err().kind(),
            ErrorKind::Invalid
        );
        Ok(())
    });
}

#[test]
fn what_can_t_be_stored_is_refused() {
    run(async {
        let too_large = set_bytes("k", vec![0; MAX_VALUE + 1]).await.unwrap_err();
        assert_eq!(
            too_large.to_string(),
            "kv: the value of `k` has 65537 bytes; 65536 are allowed"
        );
        set_bytes("k", vec![0; MAX_VALUE]).await?;
        let long = "k".repeat(513);
        for refused in [
            set("", "v").await,
            set(&long, "v").await,
            expiring(Duration::ZERO).set("k", "v").await,
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
        }
        set("text", "seven").await?;
        assert_eq!(increment("text", 1).await.unwrap_err().kind(), ErrorKind::Invalid);
        increment("max", i64::MAX).await?;
        assert_eq!(increment("max", 1).await.unwrap_err().kind(), ErrorKind::Invalid);
        Ok(())
    });
}

#[test]
fn a_test_s_host_keeps_what_it_is_given_and_fails_as_it_is_told() {
    let host = Host::new().kv("a", &note("given"));
    let read = host.block_on(async {
        set("b", &note("written")).await.unwrap();
        get::<Note>("a").await
    });
    assert_eq!(read, Ok(Some(note("given"))));
    assert_eq!(host.kept("b"), Some(note("written")));
    assert_eq!(host.kept::<Note>("c"), None);
    let full = Host::new().failing_kv(ErrorKind::QuotaExceeded);
    let refused = full.block_on(set("a", "b")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::QuotaExceeded);
    // With `?` it is an error of the handler's that tells the client nothing.
    let error: crate::Error = refused.into();
    assert_eq!(
        (error.status().as_u16(), error.public_message()),
        (500, "internal error")
    );
}
