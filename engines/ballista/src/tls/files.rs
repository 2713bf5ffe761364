//! Reads certificates and keys, and says which file is wrong.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    InconsistentKeys, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use tonic::transport;

use super::error::{TlsError, is_path, shown};

/// A certificate with its chain, and its private key. It has no `Debug`: that of tonic shows the key.
pub(super) struct Identity {
    path: PathBuf,
    leaf: CertificateDer<'static>,
    pem: transport::Identity,
}

impl Identity {
    /// Reads a chain and the key of its first certificate, and checks that they belong together.
    pub(super) fn read(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let (cert_pem, chain) = certificates(cert)?;
        let key_pem = read(key)?;
        let private = private_key(key, &key_pem)?;
        let provider = provider();
        let leaf = chain.first().cloned().ok_or_else(|| none_in(cert))?;
        CertifiedKey::from_der(chain, private, &provider)
            .map_err(|error| mismatch(cert, key, error))?;
        warn_if_others_can_read(key);
        Ok(Self {
            path: cert.to_owned(),
            leaf,
            pem: transport::Identity::from_pem(cert_pem, key_pem),
        })
    }

    /// The file of the certificate.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The certificate itself.
    pub(super) const fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf
    }

    pub(super) fn pem(&self) -> transport::Identity {
        self.pem.clone()
    }
}

/// Reads the certificates of CAs.
pub(super) fn authorities(path: &Path) -> Result<transport::Certificate, TlsError> {
    let (pem, certificates) = certificates(path)?;
    // The store needs it later.
    provider();
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| {
            let problem = format!("has a certificate that is malformed: {error}");
            TlsError::of_file(path, problem, "give the certificates of CAs in PEM")
        })?;
    }
    Ok(transport::Certificate::from_pem(pem))
}

/// The cryptography of the process: AWS-LC, unless the program has chosen another one.
fn provider() -> Arc<CryptoProvider> {
    // An error means that there is one.
    let _ = aws_lc_rs::default_provider().install_default();
    CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    if !is_path(path) {
        let help = "an option of TLS, or its variable, is the name of a file: put the certificate or key \
                    into one";
        return Err(TlsError::of_file(path, "cannot be read", help));
    }
    fs::read(path).map_err(|error| {
        let problem = format!("cannot be read: {error}");
        TlsError::of_file(path, problem, "name a file that this process may read")
    })
}

fn certificates(path: &Path) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>), TlsError> {
    let pem = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    // The error of the parser could show a part of the file.
    let all = all.map_err(|_| {
        let help = "give certificates between BEGIN CERTIFICATE and END CERTIFICATE";
        TlsError::of_file(path, "is malformed PEM", help)
    })?;
    match all.is_empty() {
        true => Err(none_in(path)),
        false => Ok((pem, all)),
    }
}

fn none_in(path: &Path) -> TlsError {
    let help = "give it in PEM, between BEGIN CERTIFICATE and END CERTIFICATE";
    TlsError::of_file(path, "has no certificate", help)
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        let marked = |mark: &[u8]| memchr::memmem::find(pem, mark).is_some();
        let (problem, help) = if marked(b"ENCRYPTED") {
            let help =
                "decrypt it, with openssl pkey for example, and restrict who may read the file";
            ("has a key under a password", help)
        } else if marked(b"BEGIN CERTIFICATE") {
            let help = "give the certificate as --tls-cert and its key as --tls-key";
            ("has a certificate and no private key", help)
        } else {
            let help = "give it in PEM, between BEGIN PRIVATE KEY and END PRIVATE KEY";
            ("has no private key", help)
        };
        TlsError::of_file(path, problem, help)
    })
}

fn mismatch(cert: &Path, key: &Path, error: rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let problem = format!("is not the key of the first certificate in {}", shown(cert));
            let help =
                "give the key that this certificate was made for; its own comes first in a chain";
            TlsError::of_file(key, problem, help)
        }
        rustls::Error::InvalidCertificate(error) => {
            let problem = format!("has a certificate that is malformed: {error}");
            TlsError::of_file(cert, problem, "have the CA issue it again")
        }
        _ => {
            let help =
                "take a key for RSA from 2048 bits, ECDSA on P-256, P-384 or P-521, or Ed25519";
            TlsError::of_file(key, "has a key that TLS cannot use", help)
        }
    }
}

#[cfg(unix)]
fn warn_if_others_can_read(key: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    if fs::metadata(key).is_ok_and(|file| file.permissions().mode() & 0o006 != 0) {
        tracing::warn!(
            "all users of this machine can read or change the private key {}: set its mode to 0600",
            key.display()
        );
    }
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_key: &Path) {}
