//! What is said when a key management service does not do what it was asked for.

use keyseal::{KmsError, KmsErrorKind};

use crate::{
    error::{Failure, chain},
    exit::Exit,
    text::printable,
};

/// Says why a call failed. The code and the exit code follow from the kind.
pub(crate) fn kms_failure(what: &str, error: &KmsError) -> Failure {
    let (exit, code) = classify(error);
    let failure = Failure::new(exit, code, what, printable(chain(error)));
    let failure = match error.is_retryable() {
        true => failure.hint("worth a retry; --retries and --timeout allow for more"),
        false if error.kind().is_transient() => failure
            .hint("it may have been done all the same: look before it is done again")
            .hint("keyseal kek list; keyseal kek show KEY"),
        false => failure,
    };
    hints(error.kind())
        .iter()
        .fold(failure, |failure, hint| failure.hint(*hint))
}

fn classify(error: &KmsError) -> (Exit, &'static str) {
    match error.kind() {
        KmsErrorKind::Configuration => (Exit::Usage, "kms_configuration"),
        KmsErrorKind::Conflict => (Exit::KmsRefused, "kms_conflict"),
        KmsErrorKind::DecryptionFailed => (Exit::NotDecrypted, "kms_not_decrypted"),
        KmsErrorKind::Interrupted => (Exit::KmsUnavailable, "kms_interrupted"),
        // Without a status it was refused here, and never sent.
        KmsErrorKind::InvalidInput if error.status().is_none() => {
            (Exit::Usage, "kms_invalid_input")
        }
        KmsErrorKind::InvalidInput => (Exit::KmsRefused, "kms_invalid_input"),
        KmsErrorKind::InvalidReply => (Exit::Failed, "kms_invalid_reply"),
        KmsErrorKind::InvalidSignature => (Exit::NotDecrypted, "kms_invalid_signature"),
        KmsErrorKind::InvalidUri => (Exit::Usage, "kms_invalid_uri"),
        KmsErrorKind::Local => (Exit::Failed, "kms_local"),
        KmsErrorKind::Locked => (Exit::KmsRefused, "kms_locked"),
        KmsErrorKind::NotFound => (Exit::KmsRefused, "kms_not_found"),
        KmsErrorKind::PermissionDenied => (Exit::KmsRefused, "kms_permission_denied"),
        KmsErrorKind::PreconditionFailed => (Exit::KmsRefused, "kms_precondition_failed"),
        KmsErrorKind::QuotaExceeded => (Exit::KmsRefused, "kms_quota_exceeded"),
        KmsErrorKind::RateLimited => (Exit::KmsUnavailable, "kms_rate_limited"),
        KmsErrorKind::Refused => (Exit::KmsRefused, "kms_refused"),
        KmsErrorKind::TimedOut => (Exit::KmsUnavailable, "kms_timed_out"),
        KmsErrorKind::Unauthenticated => (Exit::KmsRefused, "kms_unauthenticated"),
        KmsErrorKind::Unavailable => (Exit::KmsUnavailable, "kms_unavailable"),
        KmsErrorKind::Unreachable => (Exit::KmsUnavailable, "kms_unreachable"),
        KmsErrorKind::UnsupportedUri => (Exit::Usage, "kms_unsupported_uri"),
        _ => (Exit::Failed, "kms"),
    }
}

/// Says what to do next.
const fn hints(kind: KmsErrorKind) -> &'static [&'static str] {
    match kind {
        KmsErrorKind::Configuration => &[
            "the secret key is read from SCW_SECRET_KEY, or else from scw's configuration file",
            "without an account: keyseal emulator",
        ],
        KmsErrorKind::Unauthenticated => &[
            "the secret key is that of SCW_SECRET_KEY, or else of the profile in use of scw's \
             configuration file",
        ],
        KmsErrorKind::PermissionDenied => &[
            "IAM grants this to the API key: KeyManagerKeyEncrypt, KeyManagerKeyDecrypt, \
             KeyManagerReadOnly and so on",
            "what was just granted takes effect after up to two minutes",
        ],
        KmsErrorKind::NotFound => &[
            "a key is in one region and one project: --region REGION, --profile NAME",
            "keyseal kek list",
        ],
        KmsErrorKind::PreconditionFailed => &[
            "keyseal kek show KEY says in which state the key is",
            "kek enable, kek unprotect and kek restore change that",
        ],
        KmsErrorKind::Locked => &["Scaleway has locked it, and only Scaleway unlocks it"],
        KmsErrorKind::DecryptionFailed => {
            &["it takes the key, and the associated data, with which it was encrypted"]
        }
        KmsErrorKind::InvalidReply => {
            &["is there a proxy in between? SCW_API_URL is the address of the API itself"]
        }
        KmsErrorKind::InvalidUri => &["keyseal kek list shows the URIs of your keys"],
        KmsErrorKind::Unreachable => &["the address is that of --api-url, or SCW_API_URL"],
        _ => &[],
    }
}
