//! Certificates in files, for listeners.

use std::{fs, path::Path};

use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use wharf_gateway::{CertificateFiles, ListenerSpec, TlsSpec, TlsVersion};

use crate::support::{LISTENER, local};

/// A folder of certificates.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn pair(&self, name: &str) -> CertificateFiles {
        CertificateFiles {
            cert: self.0.path().join(format!("{name}.crt")),
            key: self.0.path().join(format!("{name}.key")),
        }
    }

    /// Writes a new certificate for these names and tells it.
    pub(crate) fn write(
        &self,
        name: &str,
        names: &[&str],
        algorithm: &'static rcgen::SignatureAlgorithm,
    ) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = rcgen::CertificateParams::new(names)
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let pair = self.pair(name);
        replace(&pair.cert, certificate.pem().as_bytes());
        replace(&pair.key, key.serialize_pem().as_bytes());
        certificate.der().clone()
    }

    pub(crate) fn ecdsa(&self, name: &str, names: &[&str]) -> CertificateDer<'static> {
        self.write(name, names, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn spec(&self, names: &[&str]) -> ListenerSpec {
        ListenerSpec {
            tls: Some(TlsSpec {
                certificates: names.iter().map(|name| self.pair(name)).collect(),
                min_version: TlsVersion::Tls12,
            }),
            ..local(LISTENER)
        }
    }
}

/// As tools that renew certificates do: the file is another one then.
pub(crate) fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(&new, path).unwrap();
}
