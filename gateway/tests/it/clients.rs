//! Clients that others wrote: curl, nghttp and h2load, from Debian's packages `curl` and `nghttp2-client`.

use std::{fs, path::Path};

use http_body_util::BodyExt as _;
use tokio::process::Command;
use wharf_gateway::ListenerSpec;

use crate::{
    certificates::Files,
    support::{Closure, LISTENER, Rig, local, ok, within},
};

/// Runs a program to its end and gives what it printed.
async fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).kill_on_drop(true).output();
    let output = within(program, output).await.unwrap_or_else(|error| {
        panic!("{program} cannot be run, install it (apt-get install curl nghttp2-client): {error}")
    });
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {printed}{errors}"
    );
    printed
}

/// Tells version, scheme and how many bytes the body has.
fn telling(spec: ListenerSpec) -> Rig {
    let rig = Rig::at(spec);
    let target = Closure::new(|request| async move {
        let start = format!(
            "{:?} {}",
            request.version(),
            request.headers()["x-forwarded-proto"].to_str().unwrap()
        );
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok(ok(format!("{start} {}", body.len())))
    });
    rig.register("t1", &target);
    rig
}

/// A file of more than a megabyte: curl asks with `Expect: 100-continue` before it sends that much.
fn large(folder: &Path) -> String {
    let path = folder.join("large");
    fs::write(&path, vec![b'x'; 3_000_000]).unwrap();
    format!("@{}", path.display())
}

#[tokio::test]
async fn curl_speaks_http1_and_http2_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, large) = (telling(local(LISTENER)), large(folder.path()));
    let url = format!("http://{}/", rig.address());
    for (version, name) in [
        ("--http1.1", "HTTP/1.1"),
        ("--http1.0", "HTTP/1.0"),
        ("--http2-prior-knowledge", "HTTP/2.0"),
    ] {
        let got = run("curl", &["-sS", version, &url]).await;
        assert_eq!(got, format!("{name} http 0"));
        let sent = run("curl", &["-sS", version, "--data-binary", &large, &url]).await;
        assert_eq!(sent, format!("{name} http 3000000"));
    }
    let chunked = [
        "-sS",
        "-H",
        "Transfer-Encoding: chunked",
        "--data-binary",
        &large,
        &url,
    ];
    assert_eq!(run("curl", &chunked).await, "HTTP/1.1 http 3000000");
    // Two on one connection, the second after a body.
    let twice = run(
        "curl",
        &[
            "-sS",
            "--data-binary",
            "abc",
            &url,
            &url,
            "-w",
            " %{num_connects};",
        ],
    )
    .await;
    assert_eq!(twice, "HTTP/1.1 http 3 1;HTTP/1.1 http 3 0;");
    // Offered the way up that browsers never took, we stay.
    assert_eq!(run("curl", &["-sS", "--http2", &url]).await, "HTTP/1.1 http 0");
}

#[tokio::test]
async fn curl_trusts_the_certificate_of_the_name_it_asked_for() {
    let files = Files::new();
    files.ecdsa("default", &["default.test"]);
    files.ecdsa("a", &["*.a.test"]);
    let rig = telling(files.spec(&["default", "a"]));
    let port = rig.address().port();
    let (resolve, url) = (
        format!("www.a.test:{port}:127.0.0.1"),
        format!("https://www.a.test:{port}/"),
    );
    let trusted = files.pair("a").cert.display().to_string();
    for (version, name) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2.0")] {
        for tls in ["--tls-max=1.2", "--tlsv1.3"] {
            let (flag, value) = tls.split_once('=').unwrap_or((tls, ""));
            let arguments = [
                "-sS",
                version,
                "--cacert",
                &trusted,
                "--resolve",
                &resolve,
                &url,
                flag,
                value,
            ];
            let arguments: Vec<_> = arguments
                .into_iter()
                .filter(|argument| !argument.is_empty())
                .collect();
            assert_eq!(run("curl", &arguments).await, format!("{name} https 0"), "{tls}");
        }
    }
}

#[tokio::test]
async fn nghttp_and_h2load_are_served_in_the_clear_and_over_tls() {
    let files = Files::new();
    files.ecdsa("a", &["a.test"]);
    for (spec, scheme) in [(local(LISTENER), "http"), (files.spec(&["a"]), "https")] {
        let rig = telling(spec);
        let url = format!("{scheme}://{}/", rig.address());
        let said = run("nghttp", &["-v", "--no-verify-peer", &url]).await;
        assert!(said.contains(":status: 200"), "{said}");
        assert!(
            said.contains("SETTINGS_MAX_CONCURRENT_STREAMS(0x03):128"),
            "{said}"
        );
        let load = run("h2load", &["-n", "2000", "-c", "10", "-m", "50", &url]).await;
        assert!(
            load.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"),
            "{load}"
        );
        let load = run("h2load", &["--h1", "-n", "2000", "-c", "10", &url]).await;
        assert!(
            load.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"),
            "{load}"
        );
        assert_eq!(rig.log.lines(4001).await.len(), 4001);
    }
}
