use std::fs;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::config::{CertificateFiles, TlsSpec, TlsVersion};

/// A client's hello, whole.
fn hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut client = rustls::ClientConnection::new(Arc::new(config), "a.test".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

fn tls(places: u32) -> ServerTls {
    let folder = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let pair = CertificateFiles {
        cert: folder.path().join("a.crt"),
        key: folder.path().join("a.key"),
    };
    fs::write(&pair.cert, issued.cert.pem()).unwrap();
    fs::write(&pair.key, issued.signing_key.serialize_pem()).unwrap();
    let spec = TlsSpec {
        certificates: vec![pair],
        min_version: TlsVersion::Tls12,
    };
    ServerTls::load(&spec, places).unwrap()
}

/// A client that has said hello, and its connection's other end.
async fn greeting() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(&hello()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn a_hello_is_answered_when_there_is_a_place_and_takes_none_afterwards() {
    let tls = tls(1);
    let place = tls.places.acquire().await.unwrap();
    let impatient = Limits {
        tls_handshake_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let (mut client, server) = greeting().await;
    let ended = shake_hands(server, &tls, &impatient).await;
    assert!(matches!(ended, Err(HandshakeError::TooSlow(_))));
    assert_eq!(
        client.read(&mut [0]).await.unwrap(),
        0,
        "answered without a place"
    );

    drop(place);
    let limits = Limits::default();
    let (client, server) = greeting().await;
    let mut byte = [0];
    let mut handshake = std::pin::pin!(shake_hands(server, &tls, &limits));
    tokio::select! {
        _ = &mut handshake => panic!("the client has said hello, no more"),
        answered = client.peek(&mut byte) => assert_eq!(answered.unwrap(), 1),
    }
    assert_eq!(tls.places.available_permits(), 1, "its client may take its time");
}
