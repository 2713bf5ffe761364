//! Certificates that a test makes for itself.

use std::{
    fs,
    path::{Path, PathBuf},
};

use keyseal_ballista::{ClientTls, local::Needle};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

use crate::nodes::{ELSEWHERE, Settings};

/// A CA, and its certificate in a file.
pub(crate) struct Authority {
    folder: PathBuf,
    name: &'static str,
    issuer: Issuer<'static, KeyPair>,
}

/// The files of a certificate and its key.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &'static str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let folder = folder.to_owned();
        let cert = params.self_signed(&key).unwrap();
        fs::write(folder.join(format!("{name}.pem")), cert.pem()).unwrap();
        Self {
            folder,
            name,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.name))
    }

    /// A part of the key of a certificate that was issued.
    pub(crate) fn key_of(&self, name: &str) -> Needle {
        let pem = fs::read_to_string(self.folder.join(format!("{}-{name}.key", self.name)));
        let key = KeyPair::from_pem(&pem.unwrap()).unwrap();
        // The scalar of a P-256 key has the bytes 36 to 68 of PKCS #8.
        Needle::new(
            format!("the key of the {name}"),
            &key.serialized_der()[40..60],
        )
    }

    /// Issues a certificate for a node of the cluster: a server, and a client of others.
    pub(crate) fn node(&self, name: &str) -> Issued {
        self.issue(name, &["127.0.0.1", ELSEWHERE])
    }

    /// Issues a certificate that is for clients alone.
    pub(crate) fn client(&self, name: &str) -> Issued {
        self.issue(name, &[])
    }

    pub(crate) fn issue(&self, name: &str, hosts: &[&str]) -> Issued {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<_> = hosts.iter().map(|&host| host.to_owned()).collect();
        let is_server = !hosts.is_empty();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ClientAuth);
        if is_server {
            params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let file = |ending: &str, text: &str| {
            let path = self.folder.join(format!("{}-{name}.{ending}", self.name));
            fs::write(&path, text).unwrap();
            path
        };
        Issued {
            cert: file("crt", &cert.pem()),
            key: file("key", &key.serialize_pem()),
        }
    }
}

impl Issued {
    pub(crate) fn arguments(&self) -> Vec<String> {
        vec![
            format!("--tls-cert={}", self.cert.display()),
            format!("--tls-key={}", self.key.display()),
        ]
    }

    pub(crate) fn as_client(&self, ca: &Path) -> ClientTls {
        let tls = ClientTls::read(ca).unwrap();
        tls.with_identity(&self.cert, &self.key).unwrap()
    }
}

/// Settings for a cluster with mutual TLS, whose certificates are all from one CA.
pub(crate) fn mutual(authority: &Authority) -> Settings {
    let ca = authority.path();
    let demanding = format!("--tls-client-ca={}", ca.display());
    let scheduler = [
        authority.node("scheduler").arguments(),
        vec![demanding.clone()],
    ];
    let trusting = format!("--tls-ca={}", ca.display());
    let executor = [
        authority.node("executor").arguments(),
        vec![demanding, trusting],
    ];
    Settings {
        scheduler_arguments: scheduler.concat(),
        executor_arguments: executor.concat(),
        client: Some(authority.client("client").as_client(&ca)),
        ..Settings::default()
    }
}
