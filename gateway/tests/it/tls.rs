//! TLS: which certificate, which version, which protocol; files that change.

mod handshakes;

use std::{fs, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use wharf_gateway::{ListenerError, ListenerSpec, TlsVersion};

use crate::certificates::Files;
use crate::support::{Closure, LISTENER, Rig, ok, within};

/// Takes any certificate: which one it is, is what the tests ask.
#[derive(Debug)]
struct Anyone(Vec<SignatureScheme>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

const SCHEMES: [SignatureScheme; 2] = [SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519];

static TLS12: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS12];

struct Client {
    name: &'static str,
    alpn: &'static [&'static str],
    versions: &'static [&'static rustls::SupportedProtocolVersion],
    schemes: &'static [SignatureScheme],
}

impl Client {
    fn asking(name: &'static str) -> Self {
        Self {
            name,
            alpn: &[],
            versions: rustls::ALL_VERSIONS,
            schemes: &SCHEMES,
        }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(self.schemes.to_vec())))
            .with_no_client_auth();
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    async fn connect(&self, rig: &Rig) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(rig.address()).await?;
        let name = ServerName::try_from(self.name).unwrap();
        let connector = TlsConnector::from(Arc::new(self.config()));
        within("a handshake", connector.connect(name, stream)).await
    }
}

fn certificate(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    within("an answer", async {
        while !read.ends_with(b"!") {
            assert!(
                stream.read_buf(&mut read).await.unwrap() > 0,
                "{}",
                read.escape_ascii()
            );
        }
    })
    .await;
    String::from_utf8(read).unwrap()
}

fn rig(spec: ListenerSpec) -> Rig {
    let rig = Rig::at(spec);
    let target = Closure::new(|request| async move {
        let told =
            ["x-forwarded-proto", "x-forwarded-port"].map(|name| request.headers()[name].to_str().unwrap());
        Ok(ok(format!("{} {} {:?}!", told[0], told[1], request.version())))
    });
    rig.register("t1", &target);
    rig
}

/// ALB: SNI with smart selection, and the default certificate for all else.
#[tokio::test]
async fn the_name_asked_for_picks_the_certificate() {
    let files = Files::new();
    let default = files.ecdsa("default", &["default.test"]);
    let exact = files.ecdsa("exact", &["exact.test", "a.wild.test"]);
    let wild = files.ecdsa("wild", &["*.wild.test"]);
    let rig = rig(files.spec(&["default", "exact", "wild"]));
    for (name, expected) in [
        ("default.test", &default),
        ("exact.test", &exact),
        ("EXACT.test", &exact),
        ("b.wild.test", &wild),
        ("a.wild.test", &exact),
        ("c.b.wild.test", &default),
        ("wild.test", &default),
        ("other.test", &default),
        // No name at all.
        ("127.0.0.1", &default),
    ] {
        let stream = Client::asking(name).connect(&rig).await.unwrap();
        assert!(certificate(&stream) == *expected, "{name}");
    }
}

#[tokio::test]
async fn of_two_certificates_for_a_name_the_client_gets_one_that_it_can_check() {
    let files = Files::new();
    let ecdsa = files.ecdsa("ecdsa", &["a.test"]);
    let ed25519 = files.write("ed25519", &["a.test"], &rcgen::PKCS_ED25519);
    let rig = rig(files.spec(&["ecdsa", "ed25519"]));
    for (schemes, expected) in [
        (&SCHEMES[..], &ecdsa),
        (&[SignatureScheme::ED25519], &ed25519),
        (&[SignatureScheme::ECDSA_NISTP256_SHA256], &ecdsa),
    ] {
        let client = Client {
            schemes,
            ..Client::asking("a.test")
        };
        assert!(
            certificate(&client.connect(&rig).await.unwrap()) == *expected,
            "{schemes:?}"
        );
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_upon_and_targets_are_told() {
    let files = Files::new();
    files.ecdsa("a", &["a.test"]);
    let rig = rig(files.spec(&["a"]));
    let port = rig.address().port();
    for alpn in [&["http/1.1"][..], &[]] {
        let client = Client {
            alpn,
            ..Client::asking("a.test")
        };
        let mut stream = client.connect(&rig).await.unwrap();
        let answer = get(&mut stream).await;
        assert!(
            answer.ends_with(&format!("\r\n\r\nhttps {port} HTTP/1.1!")),
            "{answer}"
        );
    }
    let client = Client {
        alpn: &["h2", "http/1.1"],
        ..Client::asking("a.test")
    };
    let stream = client.connect(&rig).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(crate::headers::get("/")).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap();
    assert_eq!(body.to_bytes(), format!("https {port} HTTP/2.0!"));
    let client = Client {
        alpn: &["spdy/3"],
        ..Client::asking("a.test")
    };
    assert!(
        client.connect(&rig).await.is_err(),
        "nothing in common (RFC 7301 3.2)"
    );
}

#[tokio::test]
async fn versions_older_than_the_oldest_are_refused_and_the_log_tells_which() {
    let files = Files::new();
    files.ecdsa("a", &["a.test"]);
    let tls12 = Client {
        versions: &TLS12,
        ..Client::asking("a.test")
    };
    let both = rig(files.spec(&["a"]));
    get(&mut tls12.connect(&both).await.unwrap()).await;
    get(&mut Client::asking("a.test").connect(&both).await.unwrap()).await;
    let lines = both.log.lines(2).await;
    let expected = [
        serde_json::json!({"version": "TLSv1.2", "cipher": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "serverName": "a.test"}),
        serde_json::json!({"version": "TLSv1.3", "cipher": "TLS13_AES_256_GCM_SHA384", "serverName": "a.test"}),
    ];
    assert_eq!([&lines[0]["tls"], &lines[1]["tls"]], [&expected[0], &expected[1]]);

    let mut spec = files.spec(&["a"]);
    spec.tls.as_mut().unwrap().min_version = TlsVersion::Tls13;
    let modern = rig(spec);
    assert!(tls12.connect(&modern).await.is_err());
    let stream = Client::asking("a.test").connect(&modern).await.unwrap();
    assert_eq!(
        stream.get_ref().1.protocol_version(),
        Some(ProtocolVersion::TLSv1_3)
    );
}

#[tokio::test]
async fn certificates_are_replaced_without_a_drop_and_broken_ones_are_not_used() {
    let files = Files::new();
    let first = files.ecdsa("a", &["a.test"]);
    let rig = rig(files.spec(&["a"]));
    let mut open = Client::asking("a.test").connect(&rig).await.unwrap();
    assert!(certificate(&open) == first);
    get(&mut open).await;

    let second = files.ecdsa("a", &["a.test"]);
    // It looks by itself, every now and then.
    within("the new certificate", async {
        while certificate(&Client::asking("a.test").connect(&rig).await.unwrap()) != second {
            tokio::task::yield_now().await;
        }
    })
    .await;
    get(&mut open).await;

    let name = LISTENER.parse().unwrap();
    assert!(!rig.gateway.refresh_certificates(&name).unwrap(), "nothing new");
    let key = files.pair("a").key;
    fs::write(&key, "no key at all").unwrap();
    let refused = rig.gateway.refresh_certificates(&name);
    // Whoever looks first finds out: this call, or the listener itself.
    if let Err(ListenerError::Tls { source, .. }) = refused {
        let expected = format!("{} holds no usable private key in PEM form", key.display());
        assert!(source.to_string().starts_with(&expected), "{source}");
    }
    let stream = Client::asking("a.test").connect(&rig).await.unwrap();
    assert!(certificate(&stream) == second, "the one before stays in use");
    get(&mut open).await;
    let told = || rig.gateway.listeners()[0].renewal_error.clone();
    let error = told().expect("the status tells");
    assert!(error.contains(&key.display().to_string()), "{error}");
    files.ecdsa("a", &["a.test"]);
    within("the error to be gone", async {
        while told().is_some() {
            let _ = rig.gateway.refresh_certificates(&name);
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn refused(spec: ListenerSpec) -> String {
    let rig = Rig::new();
    let name = "tls".parse().unwrap();
    match rig.gateway.open(ListenerSpec { name, ..spec }) {
        Err(ListenerError::Tls { source, .. }) => source.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_refused_naming_the_file() {
    let files = Files::new();
    files.ecdsa("a", &["a.test"]);
    files.ecdsa("b", &["b.test"]);
    let path = |name: &str| files.folder().join(name).display().to_string();
    assert_eq!(
        refused(files.spec(&[])),
        "no certificate is named: an HTTPS listener needs at least one"
    );
    assert_eq!(
        refused(files.spec(&["a", "none"])),
        format!("{} cannot be read", path("none.crt"))
    );
    fs::write(files.pair("empty").cert, "").unwrap();
    assert_eq!(
        refused(files.spec(&["empty"])),
        format!(
            "{} holds no usable certificate in PEM form: there is none",
            path("empty.crt")
        )
    );
    fs::copy(files.pair("b").key, files.pair("a").key).unwrap();
    let mismatch = refused(files.spec(&["a"]));
    let expected = format!(
        "the key {} does not go with the certificate {}: ",
        path("a.key"),
        path("a.crt")
    );
    assert!(mismatch.starts_with(&expected), "{mismatch}");
}
