//! TLS to a target: whose certificates are taken.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, ServerName, UnixTime,
        pem::{PemObject as _, SectionKind},
    },
};

use super::{Certificates, UpstreamVersion};

/// Why there is nothing to check a target's certificate with.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// The system has none, or none that can be read.
    #[error("the system has no certificates of authorities: install them, or name those to trust")]
    NoSystemAuthorities,
    /// None was named.
    #[error("no certificate of an authority is named")]
    NoAuthorities,
    /// What names them cannot be read.
    #[error("the certificates to trust are not in PEM form: {0}")]
    Pem(String),
    /// It would be kept, and shown to whoever may look.
    #[error("there is a private key among the certificates to trust")]
    PrivateKey,
    /// One of those named is no certificate.
    #[error("certificate number {} of those to trust is none", at + 1)]
    Authority {
        /// Which one, from 0.
        at: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The library refuses the whole.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// What a connection to a target of that version offers and takes.
pub(super) fn config(
    certificates: &Certificates,
    version: UpstreamVersion,
) -> Result<Arc<ClientConfig>, CertificatesError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(CertificatesError::Setup)?;
    let mut config = match certificates {
        Certificates::System => builder.with_root_certificates(system()?),
        Certificates::Authorities(authorities) => builder.with_root_certificates(store(authorities)?),
        Certificates::Unchecked => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked(provider))),
    }
    .with_no_client_auth();
    config.alpn_protocols = match version {
        UpstreamVersion::Http1 => vec![b"http/1.1".to_vec()],
        UpstreamVersion::Http2 | UpstreamVersion::Grpc => vec![b"h2".to_vec()],
    };
    Ok(Arc::new(config))
}

/// The system's authorities, read once: the files are large and rarely change.
fn system() -> Result<Arc<RootCertStore>, CertificatesError> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = SYSTEM.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        return Err(CertificatesError::NoSystemAuthorities);
    }
    Ok(roots.clone())
}

/// The certificates of authorities in PEM form, each one that can be used.
pub(super) fn authorities(pem: &str) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let mut authorities = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        let (kind, bytes) = section.map_err(|error| CertificatesError::Pem(error.to_string()))?;
        match kind {
            SectionKind::Certificate => authorities.push(CertificateDer::from(bytes)),
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                return Err(CertificatesError::PrivateKey);
            }
            _ => {}
        }
    }
    store(&authorities).map(|_| authorities)
}

fn store(authorities: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, CertificatesError> {
    let mut roots = RootCertStore::empty();
    for (at, certificate) in authorities.iter().enumerate() {
        roots
            .add(certificate.clone())
            .map_err(|source| CertificatesError::Authority { at, source })?;
    }
    if roots.is_empty() {
        return Err(CertificatesError::NoAuthorities);
    }
    Ok(Arc::new(roots))
}

/// Takes any certificate, so long as the target has its key.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
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
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
