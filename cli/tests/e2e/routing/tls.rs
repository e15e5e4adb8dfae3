//! A listener's certificates.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};

use super::File;
use crate::server::{DEADLINE, Server, until};

/// The body of an answer over TLS, and the certificate that was shown.
fn over_tls(
    to: SocketAddr,
    host: &str,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<(String, Vec<u8>)> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = TcpStream::connect_timeout(&to, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut tls = rustls::Stream::new(&mut client, &mut stream);
    tls.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    // A server that closes without a word has said all.
    if let Err(error) = tls.read_to_string(&mut text)
        && text.is_empty()
    {
        return Err(error);
    }
    let shown = client
        .peer_certificates()
        .and_then(|all| all.first())
        .map(|first| first.to_vec());
    let body = text
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default();
    Ok((body, shown.unwrap_or_default()))
}

/// Writes a new certificate, signed by itself, and its key.
fn certify(cert: &Path, key: &Path) -> CertificateDer<'static> {
    let made = generate_simple_self_signed(["secure.test".to_owned()]).expect("a certificate");
    let CertifiedKey {
        cert: certificate,
        signing_key,
    } = made;
    std::fs::write(key, signing_key.serialize_pem()).expect("written");
    std::fs::write(cert, certificate.pem()).expect("written");
    certificate.der().clone()
}

#[test]
fn a_listener_speaks_tls_and_takes_new_certificates_without_a_restart() {
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let first = certify(&cert, &key);
    let file = File::new(&format!(
        "[[listener]]\nname = \"https\"\nprotocol = \"HTTPS\"\naddress = \"127.0.0.1:0\"\n\
         certificates = [{{ cert = {cert:?}, key = {key:?} }}]\n\
         default = {{ fixed = {{ status = 200, body = \"by default\" }} }}\n\
         [[route]]\nname = \"secure\"\nlistener = [\"https\"]\nhost = [\"secure.test\"]\nfixed = {{ status = 200, body = \"secret\" }}\n\
         [[route]]\nname = \"up\"\nlistener = [\"http\"]\nhost = [\"secure.test\"]\nredirect = {{ status = 301, protocol = \"HTTPS\" }}\n"
    ));
    server.wharf().ok(["apply", "-f", &file.path()]);
    let listener = server.wharf().json(["describe", "listener", "https"]);
    let address: SocketAddr = listener["address"]
        .as_str()
        .expect("it listens")
        .parse()
        .expect("an address");
    let (body, shown) = over_tls(address, "secure.test", &first).expect("an answer");
    assert_eq!((body.as_str(), &shown[..]), ("secret", &first[..]));
    assert_eq!(
        server.get("secure.test", "/a").header("location"),
        Some("https://secure.test/a")
    );

    let second = certify(&cert, &key);
    until("the new certificate is shown", || {
        let (body, shown) = over_tls(address, "secure.test", &second).ok()?;
        (shown[..] == second[..] && body == "secret").then_some(())
    });
    // One that can't be read is refused, and the listener goes on as it is.
    file.write(&format!(
        "[[listener]]\nname = \"https\"\naddress = \"{address}\"\ncertificates = [{{ cert = \"/nowhere/cert.pem\", key = {key:?} }}]\n"
    ));
    server
        .wharf()
        .call(["apply", "-f", &file.path()])
        .failed_saying(64, &["https", "/nowhere/cert.pem"]);
    assert_eq!(
        over_tls(address, "secure.test", &second).expect("an answer").0,
        "secret"
    );
    server
        .wharf()
        .call(["listener", "delete", "https"])
        .failed_saying(1, &["route `secure`"]);
    for name in ["secure", "up"] {
        server.wharf().ok(["route", "delete", name]);
    }
    server.wharf().ok(["listener", "delete", "https"]);
    let listed = server.wharf().ok(["listener", "list"]);
    assert!(listed.contains("http") && !listed.contains("https"), "{listed}");
    until("it is closed", || {
        TcpStream::connect(address).is_err().then_some(())
    });
}
