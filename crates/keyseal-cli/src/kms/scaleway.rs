//! Scaleway Key Manager, with blocking calls.

use std::{fs::File, io::Read as _, path::Path, sync::Arc, time::Duration};

use keyseal::{
    KmsError,
    kms::{
        blocking::Worker,
        scaleway::{KeyUri, Region, RegionConflict, RetryPolicy, ScalewayClient, ScalewayKey},
    },
};

use super::provider::{Client, OpenKey, Provider, new_worker};
use crate::{
    context::Context, display::printable, error::Failure, kms_args::KmsArgs,
    kms_failure::kms_failure,
};

pub(super) const PROVIDER: Provider = Provider {
    scheme: "scw-kms",
    example: "scw-kms://regions/REGION/keys/ID or scw-kms://ID, a key of Scaleway Key Manager",
    check: |key| parse(key).map(drop),
    file: |_| None,
    open: |key, _, context| {
        let uri = parse(key)?;
        let manager = KeyManager::new(context.kms(), context)?;
        let key = manager.key(&uri, context)?;
        Ok(OpenKey {
            canonical: key.uri().to_string(),
            key: Arc::new(key),
            worker: manager.worker,
        })
    },
    // Only the service knows more about a key, and its client says all of it.
    check_key: |_, _, _| Ok(()),
    client: |clients, context| {
        let manager = KeyManager::new(context.kms(), context)?;
        Ok(Client {
            clients: clients.with(manager.client),
            worker: Some(manager.worker),
        })
    },
};

/// The longest file of certificates, in bytes. Those of all public authorities have 250 kB.
const CA_FILE_LIMIT: u64 = 8 << 20;
/// The longest time for one attempt, whatever the limit for all of them.
const ATTEMPT: Duration = Duration::from_secs(30);

/// A client of Key Manager, and the thread that waits for its answers.
#[derive(Clone, Debug)]
pub(crate) struct KeyManager {
    client: ScalewayClient,
    worker: Worker,
}

impl KeyManager {
    /// Reads the settings. No call is made.
    pub(crate) fn new(args: &KmsArgs, context: &Context) -> Result<Self, Failure> {
        let mut builder = ScalewayClient::builder()
            .environment(context.environment())
            .retry_policy(policy(args))
            .region_conflict(match args.region {
                // The user gave both for this call, so one of them is a mistake.
                Some(_) => RegionConflict::Refuse,
                None => RegionConflict::UseUri,
            });
        if let Some(region) = &args.region {
            builder = builder.region(region);
        }
        if let Some(profile) = &args.profile {
            builder = builder.profile(profile);
        }
        if let Some(file) = &args.credentials {
            builder = builder.config_file(file);
        }
        if let Some(url) = &args.api_url {
            builder = builder.api_url(url);
        }
        if let Some(file) = &args.ca_file {
            builder = builder.ca_certificates(read_ca_file(file)?);
        }
        if let Some(host) = &args.insecure_http_host {
            builder = builder.insecure_http_host(host);
        }
        let client = builder
            .build()
            .map_err(|error| kms_failure("cannot use Key Manager", &error))?;
        for warning in client.warnings() {
            context.warn(&printable(warning));
        }
        let client = match client.region() {
            Some(_) => client,
            None => client.in_region(Region::FR_PAR),
        };
        let worker = new_worker()?;
        Ok(Self { client, worker })
    }

    pub(crate) const fn client(&self) -> &ScalewayClient {
        &self.client
    }

    pub(crate) fn key(&self, uri: &KeyUri, context: &Context) -> Result<ScalewayKey, Failure> {
        if let (Some(named), Some(own)) = (uri.region(), self.client.region())
            && named != own
        {
            context.detail(&format!(
                "the key's region is {named}, that of the settings {own}"
            ));
        }
        self.client
            .key(uri)
            .map_err(|error| unusable(&uri.to_string(), &error))
    }

    /// Waits for an answer. `what` starts the error message, such as `cannot rotate the key`.
    pub(crate) fn run<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, KmsError>>,
    ) -> Result<T, Failure> {
        self.worker
            .run(call)
            .map_err(|error| kms_failure(what, &error))
    }
}

/// Parses the part of a URI that follows the scheme.
fn parse(key: &str) -> Result<KeyUri, Failure> {
    parse_key(&format!("scw-kms://{key}"))
}

/// Parses the URI of a key, `region/id` or an id. It needs no credentials.
pub(crate) fn parse_key(reference: &str) -> Result<KeyUri, Failure> {
    KeyUri::from_reference(reference).map_err(|error| unusable(reference, &error))
}

fn unusable(reference: &str, error: &KmsError) -> Failure {
    let what = format!("cannot use the key {}", printable(reference));
    kms_failure(&what, error)
}

/// Returns how long a call may take, and how often it is made.
fn policy(args: &KmsArgs) -> RetryPolicy {
    let mut policy = match args.is_patient {
        true => RetryPolicy::patient(),
        false => RetryPolicy::new(),
    };
    if let Some(timeout) = args.timeout {
        policy = policy
            .total_timeout(timeout)
            .attempt_timeout(timeout.min(ATTEMPT));
    }
    if let Some(retries) = args.retries {
        policy = policy.max_attempts(retries.saturating_add(1));
    }
    policy
}

/// Reads the certificates of `--ca-file`.
fn read_ca_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut pem = Vec::new();
    File::open(file)
        .and_then(|open| open.take(CA_FILE_LIMIT + 1).read_to_end(&mut pem))
        .map_err(|error| Failure::file("read", file, &error))?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    let why = if pem.len() as u64 > CA_FILE_LIMIT {
        "it is longer than 8 MiB"
    } else if !pem.windows(begin.len()).any(|line| line == begin) {
        "it holds no certificate in PEM"
    } else {
        return Ok(pem);
    };
    Err(Failure::usage(
        "ca_file",
        format!("cannot use --ca-file {}", printable(file.display())),
        why,
    ))
}
