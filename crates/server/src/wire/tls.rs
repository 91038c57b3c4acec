//! TLS: the operator's certificate, or one made at first start.
//!
//! A made certificate lies in the folder `tls` of the data directory:
//!
//! ```text
//! tls/ca.pem     the certificate to trust; whoever connects is given this file
//! tls/cert.pem   the server's certificate, signed by it
//! tls/key.pem    the server's private key, mode 0600
//! ```
//!
//! The CA's own key is forgotten as soon as it has signed, so nobody can make
//! further certificates that these clients would trust. So one that was made
//! for other names is not mended but refused: what to do is the operator's choice.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;

/// A TLS set-up.
pub struct Tls {
    /// For the server.
    pub config: Arc<ServerConfig>,
    /// The certificate that clients must trust, if it was made here.
    pub ca_file: Option<PathBuf>,
}

/// Why there is no TLS. Every text names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file does not hold what it should, in PEM.
    #[error("`{path}` does not hold {what} in PEM")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not go together, or cannot be used.
    #[error("the certificate `{path}` cannot be used with its key")]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The certificate cannot be made.
    #[error("cannot make a TLS certificate")]
    Make(#[from] rcgen::Error),
    /// The certificate was made at an earlier start, for other names.
    #[error(
        "the TLS certificate in `{folder}` was made without {names}: start with the address and the names that it was \
         made for; or delete that folder to have a new certificate made, and give clients its new `ca.pem`; or give \
         --tls-cert and --tls-key"
    )]
    OtherNames {
        /// Where the certificate lies.
        folder: PathBuf,
        /// What it is asked to be for and is not, each in backticks.
        names: String,
    },
    /// The folder `tls` cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// TLS with the operator's certificate chain and key, both PEM.
pub fn from_files(cert: &Path, key: &Path) -> Result<Tls, TlsError> {
    let pem = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, what, source }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(pem(cert, "a certificate chain"))?;
    if chain.is_empty() {
        return Err(pem(cert, "a certificate chain")(rustls::pki_types::pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(pem(key, "a private key"))?;
    let unusable = |source| TlsError::Unusable { path: cert.to_owned(), source };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Tls { config: Arc::new(config), ca_file: None })
}

/// Whether a certificate can be for `name`: a DNS name, `*.` before one, or an address.
pub fn is_certificate_name(name: &str) -> bool {
    let (is_wildcard, rest) = name.strip_prefix("*.").map_or((false, name), |rest| (true, rest));
    match ServerName::try_from(rest) {
        Ok(ServerName::DnsName(_)) => !rest.ends_with('.') && (!is_wildcard || rest.contains('.')),
        Ok(_) => !is_wildcard,
        Err(_) => false,
    }
}

/// TLS with the certificate in `folder`; one is made if there is none, and one that was made for neither `listen`
/// nor all of `names` is refused.
///
/// It is for `localhost`, this host's name, `listen` and `names`, and good for
/// ten years from `now_millis`.
pub fn made_in(folder: &Path, listen: IpAddr, names: &[String], now_millis: i64) -> Result<Tls, TlsError> {
    let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.join(name));
    // The certificate is written last: where it is, the others are.
    if !cert.exists() {
        let made = make(listen, names, now_millis)?;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| TlsError::Write { path: folder.to_owned(), source })?;
        write(&key, 0o600, &made.key)?;
        write(&ca, 0o644, &made.ca)?;
        write(&cert, 0o644, &made.cert)?;
    }
    let tls = from_files(&cert, &key)?;
    let mut wanted = names.to_vec();
    wanted.extend(listen_name(listen));
    let missing = names_missing(&cert, &wanted)?;
    if !missing.is_empty() {
        let names = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(TlsError::OtherNames { folder: folder.to_owned(), names });
    }
    // A host may well have another name by now, as containers do at every start.
    for name in names_missing(&cert, host_name().as_slice())? {
        let folder = folder.display();
        tracing::info!("the TLS certificate in {folder} is not for this host's name, {name}");
    }
    let ca = std::path::absolute(&ca).unwrap_or(ca);
    Ok(Tls { ca_file: Some(ca), ..tls })
}

struct Made {
    ca: String,
    cert: String,
    key: String,
}

fn make(listen: IpAddr, names: &[String], now_millis: i64) -> Result<Made, TlsError> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name = called("Strongroom CA of this data directory");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    all.extend(host_name());
    all.extend(listen_name(listen));
    all.extend(names.iter().cloned());
    all.sort();
    all.dedup();
    let mut server = CertificateParams::new(all)?;
    server.distinguished_name = called("Strongroom");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    for certificate in [&mut ca, &mut server] {
        // A day early, for clients whose clocks are behind.
        certificate.not_before = date(now_millis - DAY_MILLIS);
        certificate.not_after = date(now_millis + 3652 * DAY_MILLIS);
    }
    let ca_certificate = ca.self_signed(&ca_key)?;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &Issuer::from_params(&ca, &ca_key))?;
    Ok(Made { ca: ca_certificate.pem(), cert: certificate.pem(), key: key.serialize_pem() })
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn date<T: From<std::time::SystemTime>>(millis: i64) -> T {
    let since_epoch = std::time::Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    T::from(std::time::UNIX_EPOCH + since_epoch)
}

// The host's name where it is one that a certificate can carry.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned();
    is_certificate_name(&name).then_some(name)
}

// The address listened on, where it is one that clients can name.
fn listen_name(listen: IpAddr) -> Option<String> {
    (!listen.is_unspecified()).then(|| listen.to_string())
}

// Those of the names that the certificate in a file is not for.
fn names_missing(cert: &Path, names: &[String]) -> Result<Vec<String>, TlsError> {
    let unusable = |source| TlsError::Unusable { path: cert.to_owned(), source };
    let der = CertificateDer::from_pem_file(cert).map_err(|source| TlsError::Pem {
        path: cert.to_owned(),
        what: "a certificate",
        source,
    })?;
    let certificate = ParsedCertificate::try_from(&der).map_err(unusable)?;
    let is_for = |name: &str| {
        // A certificate for a wildcard is one for any name in its place.
        let name = name.replacen('*', "any-name-whatever", 1);
        ServerName::try_from(name).is_ok_and(|name| verify_server_name(&certificate, &name).is_ok())
    };
    Ok(names.iter().filter(|name| !is_for(name)).cloned().collect())
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), TlsError> {
    let written = || {
        // What a start that was cut short has left is replaced; an older file's mode would stay.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).inspect_err(|_| {
            // On a full disk a file without content would stay, and stop every later start.
            let _ = std::fs::remove_file(path);
        })
    };
    written().map_err(|source| TlsError::Write { path: path.to_owned(), source })
}

const DAY_MILLIS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW_MILLIS: i64 = 1_795_000_000_000;

    /// The CA file is handed to clients: it must stay the same from start to start.
    #[test]
    fn a_certificate_is_made_once_and_its_key_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("tls");
        let listen = "10.1.2.3".parse().unwrap();
        let first = made_in(&folder, listen, &["db.example".to_owned()], NOW_MILLIS).unwrap();
        let ca = std::fs::read(first.ca_file.unwrap()).unwrap();
        let mode = std::fs::metadata(folder.join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for names in [vec![], vec!["db.example".to_owned(), "localhost".to_owned()]] {
            made_in(&folder, listen, &names, NOW_MILLIS).unwrap();
        }
        let second = made_in(&folder, "0.0.0.0".parse().unwrap(), &[], NOW_MILLIS).unwrap();
        assert_eq!(std::fs::read(second.ca_file.unwrap()).unwrap(), ca);
        // The start was cut short after the key: everything is made anew.
        std::fs::remove_file(folder.join("cert.pem")).unwrap();
        made_in(&folder, listen, &[], NOW_MILLIS).unwrap();
        assert_ne!(std::fs::read(folder.join("ca.pem")).unwrap(), ca);
    }

    /// Clients that were given the CA file would refuse the server under the names that it was told to have.
    #[test]
    fn a_certificate_for_other_names_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("tls");
        let start = |listen: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            made_in(&folder, listen.parse().unwrap(), &names, NOW_MILLIS)
        };
        start("127.0.0.1", &["db.example", "*.tables.example", "10.0.0.1"]).unwrap();
        let before = std::fs::read(folder.join("cert.pem")).unwrap();
        for (listen, names, missing) in [
            ("127.0.0.2", vec![], "`127.0.0.2`"),
            ("127.0.0.1", vec!["db.example", "www.example"], "`www.example`"),
            ("::2", vec!["*.db.example", "10.9.8.7"], "`*.db.example`, `10.9.8.7`, `::2`"),
        ] {
            let Err(TlsError::OtherNames { names, .. }) = start(listen, &names) else {
                panic!("{listen} {names:?} must be refused");
            };
            assert_eq!(names, missing);
        }
        start("127.0.0.1", &["*.tables.example", "a.tables.example", "DB.example", "10.0.0.1"]).unwrap();
        assert_eq!(std::fs::read(folder.join("cert.pem")).unwrap(), before);
    }

    #[test]
    fn what_a_certificate_can_be_for() {
        for name in ["localhost", "db.example", "*.db.example", "10.0.0.1", "::1", "a_b.example"] {
            assert!(is_certificate_name(name), "{name}");
        }
        for name in
            ["", "bad name", "db.example.", "*.com", "*", "*.10.0.0.1", "[::1]", "-x", "a/b", "b\u{fc}cher"]
        {
            assert!(!is_certificate_name(name), "{name}");
        }
    }

    #[test]
    fn a_certificate_and_the_key_of_another_do_not_go_together() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        for folder in [&one, &other] {
            made_in(folder, "127.0.0.1".parse().unwrap(), &[], NOW_MILLIS).unwrap();
        }
        let mixed = from_files(&one.join("cert.pem"), &other.join("key.pem"));
        assert!(matches!(mixed, Err(TlsError::Unusable { .. })));
        let swapped = from_files(&one.join("key.pem"), &one.join("key.pem"));
        assert!(matches!(swapped, Err(TlsError::Pem { .. })));
    }
}
