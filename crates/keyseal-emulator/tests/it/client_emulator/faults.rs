//! Every fault of the injector under every operation of the client.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyseal::{
    BoxFuture, KmsError, KmsErrorKind, RemoteAead, SecretAccess, SecretBytes,
    kms::scaleway::{
        Algorithm, CreateKey, KeyMaterial, KeyUsage, ListKeys, ScalewayClient, ScalewayKey,
        UpdateKey,
    },
};
use keyseal_emulator::{Emulator, ErrorBody, Fault, FaultRule, Operation};

use super::{client_of, create, impatient, serve};

const PLAINTEXT: &[u8] = b"planted plaintext";
const ASSOCIATED_DATA: &[u8] = b"planted associated data";
const MATERIAL: &[u8; 32] = b"planted key material of 32 bytes";
const DIGEST: &[u8; 32] = b"planted digest that is 32 bytes.";

/// The client's operations, and whether each may be repeated.
const OPERATIONS: &[(Operation, Repeat)] = &[
    (Operation::CreateKey, Repeat::Never),
    (Operation::GetKey, Repeat::Safe),
    (Operation::UpdateKey, Repeat::Safe),
    (Operation::DeleteKey, Repeat::Never),
    (Operation::RestoreKey, Repeat::Never),
    (Operation::RotateKey, Repeat::Never),
    (Operation::ProtectKey, Repeat::Safe),
    (Operation::UnprotectKey, Repeat::Safe),
    (Operation::EnableKey, Repeat::Safe),
    (Operation::DisableKey, Repeat::Safe),
    (Operation::ListKeys, Repeat::Safe),
    (Operation::ListAlgorithms, Repeat::Safe),
    (Operation::ListKeyRotations, Repeat::Safe),
    (Operation::GenerateDataKey, Repeat::Safe),
    (Operation::Encrypt, Repeat::Safe),
    (Operation::Decrypt, Repeat::Safe),
    (Operation::Sign, Repeat::Safe),
    (Operation::Verify, Repeat::Safe),
    (Operation::ImportKeyMaterial, Repeat::Never),
    (Operation::DeleteKeyMaterial, Repeat::Never),
    (Operation::GetPublicKey, Repeat::Safe),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Safe,
    Never,
}

/// A key on which an operation will succeed, and the operation's arguments.
struct Subject {
    key: ScalewayKey,
    ciphertext: Vec<u8>,
    signature: Vec<u8>,
}

impl Subject {
    async fn of(operation: Operation, client: &ScalewayClient) -> Self {
        let description = match operation {
            Operation::Sign | Operation::Verify | Operation::GetPublicKey => CreateKey::new(
                KeyUsage::AsymmetricSigning(Algorithm::named("ec_p256_sha256")),
            ),
            Operation::ImportKeyMaterial | Operation::DeleteKeyMaterial => {
                CreateKey::aes_256_gcm().external()
            }
            _ => CreateKey::aes_256_gcm(),
        };
        let key = create(client, description.unprotected()).await;
        let mut subject = Self {
            key,
            ciphertext: Vec::new(),
            signature: Vec::new(),
        };
        let key = &subject.key;
        match operation {
            Operation::Decrypt => {
                subject.ciphertext = key.encrypt(PLAINTEXT, ASSOCIATED_DATA).await.unwrap();
            }
            Operation::Verify => subject.signature = key.sign(DIGEST).await.unwrap(),
            Operation::RestoreKey => key.delete().await.unwrap(),
            Operation::DeleteKeyMaterial => {
                key.import_key_material(&material(), b"").await.unwrap();
            }
            _ => {}
        }
        subject
    }

    fn act<'a>(
        &'a self,
        operation: Operation,
        client: &'a ScalewayClient,
    ) -> BoxFuture<'a, Result<(), KmsError>> {
        let key = &self.key;
        Box::pin(async move {
            match operation {
                Operation::CreateKey => {
                    let description = CreateKey::aes_256_gcm().name("made under a fault");
                    client.create_key(&description).await.map(drop)
                }
                Operation::GetKey => key.get().await.map(drop),
                Operation::UpdateKey => key.update(&UpdateKey::new().name("n")).await.map(drop),
                Operation::DeleteKey => key.delete().await,
                Operation::RestoreKey => key.restore().await.map(drop),
                Operation::RotateKey => key.rotate().await.map(drop),
                Operation::ProtectKey => key.protect().await.map(drop),
                Operation::UnprotectKey => key.unprotect().await.map(drop),
                Operation::EnableKey => key.enable().await.map(drop),
                Operation::DisableKey => key.disable().await.map(drop),
                Operation::ListKeys => client.list_keys(&ListKeys::new()).await.map(drop),
                Operation::ListAlgorithms => client.list_algorithms(&[]).await.map(drop),
                Operation::ListKeyRotations => key.list_rotations().await.map(drop),
                Operation::GenerateDataKey => key.generate_data_key().await.map(drop),
                Operation::Encrypt => key.encrypt(PLAINTEXT, ASSOCIATED_DATA).await.map(drop),
                Operation::Decrypt => {
                    let opened = key.decrypt(&self.ciphertext, ASSOCIATED_DATA).await?;
                    assert_eq!(opened, PLAINTEXT);
                    Ok(())
                }
                Operation::Sign => key.sign(DIGEST).await.map(drop),
                Operation::Verify => key.verify(DIGEST, &self.signature).await,
                Operation::ImportKeyMaterial => {
                    key.import_key_material(&material(), b"").await.map(drop)
                }
                Operation::DeleteKeyMaterial => key.delete_key_material(KeyMaterial::Newest).await,
                Operation::GetPublicKey => key.public_key().await.map(drop),
                other => panic!("{other:?} is no operation of the client"),
            }
        })
    }
}

fn material() -> SecretBytes {
    SecretBytes::copy_from(MATERIAL, SecretAccess::insecure())
}

/// The outcome of a call while the fault lasts.
enum Outcome {
    /// This error; the call is repeated if that is safe.
    Transient(KmsErrorKind),
    /// This error, at once.
    Final(KmsErrorKind),
    /// This error if the answer has a JSON body to read, otherwise a success.
    Unreadable(KmsErrorKind),
}

fn faults() -> Vec<(Fault, Outcome)> {
    use KmsErrorKind as Kind;
    use Outcome::{Final, Transient, Unreadable};

    let mut faults = vec![
        (
            Fault::Latency(Duration::from_secs(60)),
            Transient(Kind::TimedOut),
        ),
        (Fault::ResetBefore, Transient(Kind::Interrupted)),
        (Fault::ResetAfter, Transient(Kind::Interrupted)),
        (Fault::RateLimited, Transient(Kind::RateLimited)),
        (
            Fault::RateLimitedJson {
                retry_after: Duration::ZERO,
            },
            Transient(Kind::RateLimited),
        ),
        (Fault::TruncatedJson, Unreadable(Kind::InvalidReply)),
        (
            Fault::WrongContentType("text/html".into()),
            Unreadable(Kind::InvalidReply),
        ),
        (Fault::DeniedAuthentication, Final(Kind::Unauthenticated)),
        (Fault::PermissionsDenied, Final(Kind::PermissionDenied)),
        (Fault::NotFound, Final(Kind::NotFound)),
    ];
    for status in [500, 502, 503, 504] {
        for body in [ErrorBody::Html, ErrorBody::Json, ErrorBody::Empty] {
            let fault = Fault::ServerError { status, body };
            faults.push((fault, Transient(Kind::Unavailable)));
        }
    }
    faults
}

/// Answers without a body cannot be truncated or mislabelled.
const WITHOUT_BODY: [Operation; 2] = [Operation::DeleteKey, Operation::DeleteKeyMaterial];

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_under_each_operation_has_its_kind_its_attempts_and_an_end() {
    let tasks: Vec<_> = OPERATIONS
        .iter()
        .map(|(operation, repeat)| tokio::spawn(all_faults(*operation, *repeat)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

async fn all_faults(operation: Operation, repeat: Repeat) {
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let prepared = client_of(&emulator, &server).build().unwrap();
    for (fault, outcome) in faults() {
        let what = format!("{fault:?} under {operation:?}");
        let subject = Subject::of(operation, &prepared).await;
        // A client for each fault: its retry budget is meant to run out.
        let slow = matches!(fault, Fault::Latency(_));
        let patience = Duration::from_millis(if slow { 200 } else { 20_000 });
        let policy = impatient().attempt_timeout(patience);
        let client = client_of(&emulator, &server)
            .retry_policy(policy)
            .build()
            .unwrap();
        let subject = Subject {
            key: client.key(&subject.key.uri()).unwrap(),
            ..subject
        };
        let sent = || {
            let exchanges = emulator.exchanges();
            exchanges
                .iter()
                .filter(|one| one.operation() == Some(operation))
                .count()
        };
        let (before, start) = (sent(), Instant::now());
        emulator.inject(FaultRule::new(fault.clone()).on(operation));
        let result = subject.act(operation, &client).await;
        emulator.clear_faults();
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{what}: {:?}",
            start.elapsed()
        );

        let (kind, attempts) = match outcome {
            Outcome::Transient(kind) if repeat == Repeat::Safe => (Some(kind), 4),
            Outcome::Transient(kind) | Outcome::Final(kind) => (Some(kind), 1),
            Outcome::Unreadable(_) if WITHOUT_BODY.contains(&operation) => (None, 1),
            Outcome::Unreadable(kind) => (Some(kind), 1),
        };
        assert_eq!(
            result.as_ref().err().map(KmsError::kind),
            kind,
            "{what}: {result:?}"
        );
        if !slow {
            assert_eq!(sent() - before, attempts, "{what}");
        }
        if let Err(error) = result {
            assert_eq!(error.attempts() as usize, attempts, "{what}");
            // An operation that may have happened must not be repeated automatically.
            let again = repeat == Repeat::Safe && error.kind().is_transient();
            assert_eq!(error.is_retryable(), again, "{what}");
            assert_tells_no_secret(&error, &emulator);
        }

        // A fault that ends after one answer is not noticed if the call may be repeated.
        if repeat == Repeat::Safe && kind.is_some_and(KmsErrorKind::is_transient) {
            emulator.inject(FaultRule::new(fault).on(operation).times(1));
            let before = sent();
            let result = subject.act(operation, &client).await;
            assert!(result.is_ok(), "{what}, once: {result:?}");
            assert!(slow || sent() - before == 2, "{what}, once");
            emulator.clear_faults();
        }
    }
}

fn assert_tells_no_secret(error: &KmsError, emulator: &Emulator) {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    let identity = emulator.identity();
    let token = identity.secret_key(SecretAccess::insecure()).to_owned();
    let mut secrets = vec![token];
    for secret in [PLAINTEXT, ASSOCIATED_DATA, MATERIAL, DIGEST] {
        secrets.push(String::from_utf8(secret.to_vec()).unwrap());
        secrets.push(STANDARD.encode(secret));
        secrets.push(hex::encode(secret));
    }
    for secret in secrets {
        assert!(!text.contains(&secret), "{text}");
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_one_key_and_one_version_behind_at_most() {
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let client = client_of(&emulator, &server).build().unwrap();
    let key = create(&client, CreateKey::aes_256_gcm()).await;
    for (fault, versions, keys) in [
        (Fault::ResetBefore, 1, 1),
        (Fault::ResetAfter, 2, 2),
        (Fault::RateLimited, 2, 2),
        (Fault::CutBody, 3, 3),
    ] {
        emulator.inject(FaultRule::new(fault));
        let refused = key.rotate().await.err().unwrap();
        assert!(!refused.is_retryable());
        client
            .create_key(&CreateKey::aes_256_gcm())
            .await
            .err()
            .unwrap();
        emulator.clear_faults();
        assert_eq!(key.get().await.unwrap().rotation_count(), versions);
        assert_eq!(
            client.list_keys(&ListKeys::new()).await.unwrap().len(),
            keys
        );
    }
}

#[tokio::test]
async fn an_answer_about_another_key_is_not_believed() {
    let emulator = Emulator::new().unwrap();
    let client = emulator.client().retry_policy(impatient()).build().unwrap();
    for operation in [
        Operation::Encrypt,
        Operation::Decrypt,
        Operation::GenerateDataKey,
        Operation::Sign,
        Operation::Verify,
    ] {
        let subject = Subject::of(operation, &client).await;
        emulator.inject(FaultRule::new(Fault::WrongKeyId).on(operation));
        let error = subject.act(operation, &client).await.err().unwrap();
        assert_eq!(error.kind(), KmsErrorKind::InvalidReply, "{operation:?}");
        emulator.clear_faults();
    }
}

#[tokio::test]
async fn no_server_at_all_is_unreachable_and_tried_again_whatever_it_is() {
    let emulator = Emulator::new().unwrap();
    let server = serve(&emulator);
    let client = client_of(&emulator, &server).build().unwrap();
    let mut subjects = Vec::new();
    for (operation, _) in OPERATIONS {
        subjects.push((*operation, Subject::of(*operation, &client).await));
    }
    let client = client_of(&emulator, &server).build().unwrap();
    server.shutdown();
    for (operation, subject) in subjects {
        let key = client.key(&subject.key.uri()).unwrap();
        let subject = Subject { key, ..subject };
        let error = subject.act(operation, &client).await.err().unwrap();
        let outcome = (error.kind(), error.attempts(), error.is_retryable());
        assert_eq!(
            outcome,
            (KmsErrorKind::Unreachable, 4, true),
            "{operation:?}"
        );
    }
}
