//! `AWS_CA_BUNDLE`: whose certificates a key service over the network is trusted by.
//!
//! As for AWS's own tools, the certificates in the file take the place of the system's.

use std::path::PathBuf;

use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why the file is of no use. Each text names it.
#[derive(Debug, thiserror::Error)]
pub enum CaBundleError {
    /// It cannot be read.
    #[error("AWS_CA_BUNDLE: cannot read `{path}`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("AWS_CA_BUNDLE: `{path}` does not hold certificates in PEM format")]
    NoCertificates {
        /// The file.
        path: PathBuf,
    },
}

/// What the file in `AWS_CA_BUNDLE` holds.
pub(super) struct CaBundle(TlsContext);

impl CaBundle {
    /// The bundle; `None` where the variable is not set.
    pub(super) fn from_environment() -> Result<Option<Self>, CaBundleError> {
        let Some(path) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else {
            return Ok(None);
        };
        Self::read(path.into()).map(Some)
    }

    fn read(path: PathBuf) -> Result<Self, CaBundleError> {
        let pem = match std::fs::read(&path) {
            Ok(pem) => pem,
            Err(source) => return Err(CaBundleError::Unreadable { path, source }),
        };
        if !is_usable(&pem) {
            return Err(CaBundleError::NoCertificates { path });
        }
        let trust = TrustStore::empty().with_pem_certificate(pem);
        let context = TlsContext::builder().with_trust_store(trust).build();
        Ok(Self(context.expect("a trust store is all it needs")))
    }

    /// A client for the wire that trusts the bundle, with connections of its own.
    pub(super) fn client(&self) -> SharedHttpClient {
        let builder =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        builder.tls_context(self.0.clone()).build_https()
    }
}

// The client panics over what it cannot parse.
fn is_usable(pem: &[u8]) -> bool {
    let mut store = RootCertStore::empty();
    let all_fit = CertificateDer::pem_slice_iter(pem)
        .all(|certificate| certificate.is_ok_and(|certificate| store.add(certificate).is_ok()));
    all_fit && !store.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("ca.pem");
        assert!(matches!(CaBundle::read(path.clone()), Err(CaBundleError::Unreadable { .. })));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "no certificate", broken, "-----BEGIN CERTIFICATE-----\nAA"] {
            std::fs::write(&path, text).expect("the folder takes files");
            assert!(
                matches!(CaBundle::read(path.clone()), Err(CaBundleError::NoCertificates { .. })),
                "{text}"
            );
        }
    }
}
