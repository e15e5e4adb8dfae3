//! A listener's certificates: read from files, found by name, read again when the files change.
//!
//! New files that cannot be used change nothing: the ones before stay, and the log says why.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::TlsError;
use crate::{config::CertificateFiles, upstream::chain};

/// Certificates in use, and where they came from.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: Vec<CertificateFiles>,
    current: ArcSwap<ByName>,
    /// What the files looked like when they were last read, usable or not.
    read: Mutex<Vec<Stamp>>,
    /// Why they weren't usable then.
    failure: ArcSwapOption<String>,
}

/// What changes about a file when it is replaced or written; none when it cannot be looked at.
type Stamp = Option<(SystemTime, u64)>;

/// The certificates of each name, best first. RSA and ECDSA ones may stand side by side (ALB: smart selection).
#[derive(Debug)]
struct ByName {
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// By what follows the `*.`, for it stands for one label (RFC 9525 6.3).
    wildcard: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    default: Arc<CertifiedKey>,
}

impl Certificates {
    pub(super) fn load(files: &[CertificateFiles]) -> Result<Self, TlsError> {
        let stamps = stamps(files);
        Ok(Self {
            current: ArcSwap::from_pointee(read(files)?),
            files: files.to_vec(),
            read: Mutex::new(stamps),
            failure: ArcSwapOption::empty(),
        })
    }

    /// Reads the files again if they changed since they were last read; tells whether there are new ones in use.
    /// Blocks on the file system.
    pub(crate) fn refresh(&self) -> Result<bool, TlsError> {
        let now = stamps(&self.files);
        let mut before = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *before == now {
            return Ok(false);
        }
        *before = now;
        drop(before);
        let read = read(&self.files);
        self.failure
            .store(read.as_ref().err().map(|error| Arc::new(chain(error))));
        self.current.store(Arc::new(read?));
        Ok(true)
    }

    /// Why the files as they are now cannot be used; none if they can.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.load().as_deref().cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load();
        let schemes = hello.signature_schemes();
        let candidates = hello.server_name().and_then(|name| current.find(name));
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let chosen = candidates.and_then(|keys| keys.iter().find(fits).or(keys.first()));
        Some(chosen.unwrap_or(&current.default).clone())
    }
}

impl ByName {
    fn new(keys: Vec<Arc<CertifiedKey>>) -> Option<Self> {
        let mut found = Self {
            default: keys.first()?.clone(),
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        };
        for key in keys {
            for name in names(&key) {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut found.wildcard, parent),
                    None => (&mut found.exact, name.as_str()),
                };
                map.entry(name.into()).or_default().push(key.clone());
            }
        }
        Some(found)
    }

    fn find(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        // rustls hands names over in lower case or not, as the client wrote them.
        let name = name.to_ascii_lowercase();
        self.exact.get(name.as_str()).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        })
    }
}

/// The DNS names in a certificate, in lower case.
fn names(key: &CertifiedKey) -> Vec<String> {
    let Some(certificate) = key.cert.first() else {
        return Vec::new();
    };
    webpki::EndEntityCert::try_from(certificate)
        .map(|parsed| parsed.valid_dns_names().map(str::to_ascii_lowercase).collect())
        .unwrap_or_default()
}

fn stamps(files: &[CertificateFiles]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files
        .iter()
        .flat_map(|pair| [stamp(&pair.cert), stamp(&pair.key)])
        .collect()
}

fn read(files: &[CertificateFiles]) -> Result<ByName, TlsError> {
    let keys = files
        .iter()
        .map(|pair| read_pair(pair).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    ByName::new(keys).ok_or(TlsError::NoCertificates)
}

fn read_pair(pair: &CertificateFiles) -> Result<CertifiedKey, TlsError> {
    let pem = read_file(&pair.cert)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| content(&pair.cert, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(content(&pair.cert, "certificate", "there is none".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&read_file(&pair.key)?)
        .map_err(|error| content(&pair.key, "private key", error.to_string()))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| TlsError::Pair {
        cert: pair.cert.clone(),
        key: pair.key.clone(),
        reason: error.to_string(),
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn content(path: &Path, what: &'static str, reason: String) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        what,
        reason,
    }
}
