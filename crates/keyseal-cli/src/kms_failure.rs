//! The messages for failed calls of a key management service.

use keyseal::{KmsError, KmsErrorKind, error_chain};

use crate::{display::printable, error::Failure, exit::Exit};

/// Explains why a call failed. The code and the exit code depend on the kind.
pub(crate) fn kms_failure(what: &str, error: &KmsError) -> Failure {
    let (exit, code) = classify(error);
    let failure = Failure::new(exit, code, what, printable(error_chain(error)));
    let failure = if error.is_retryable() {
        failure
            .hint("try again later")
            .hint("--retries and --timeout allow more attempts and more time")
    } else if error.may_have_taken_effect() {
        failure
            .hint("the call may have taken effect: check before you repeat it")
            .hint("keyseal kek list; keyseal kek show KEY")
    } else {
        failure
    };
    hints(error.kind())
        .iter()
        .fold(failure, |failure, hint| failure.hint(*hint))
}

fn classify(error: &KmsError) -> (Exit, &'static str) {
    match error.kind() {
        KmsErrorKind::CaCertificate => (Exit::KmsRefused, "kms_ca_certificate"),
        KmsErrorKind::CertificateName => (Exit::KmsRefused, "kms_certificate_name"),
        KmsErrorKind::Configuration => (Exit::Usage, "kms_configuration"),
        KmsErrorKind::Conflict => (Exit::KmsRefused, "kms_conflict"),
        KmsErrorKind::DecryptionFailed => (Exit::NotDecrypted, "kms_not_decrypted"),
        KmsErrorKind::Interrupted => (Exit::KmsUnavailable, "kms_interrupted"),
        // Without a status, the request was refused here and never sent.
        KmsErrorKind::InvalidInput if error.status().is_none() => {
            (Exit::Usage, "kms_invalid_input")
        }
        KmsErrorKind::InvalidInput => (Exit::KmsRefused, "kms_invalid_input"),
        KmsErrorKind::InvalidReply => (Exit::Failed, "kms_invalid_reply"),
        KmsErrorKind::InvalidSignature => (Exit::NotDecrypted, "kms_invalid_signature"),
        KmsErrorKind::InvalidUri => (Exit::Usage, "kms_invalid_uri"),
        KmsErrorKind::Local => (Exit::Failed, "kms_local"),
        KmsErrorKind::Locked => (Exit::KmsRefused, "kms_locked"),
        KmsErrorKind::MissingCredentials => (Exit::KmsRefused, "kms_missing_credentials"),
        KmsErrorKind::NotSent => (Exit::KmsUnavailable, "kms_not_sent"),
        KmsErrorKind::NotFound => (Exit::KmsRefused, "kms_not_found"),
        KmsErrorKind::PermissionDenied => (Exit::KmsRefused, "kms_permission_denied"),
        KmsErrorKind::PreconditionFailed => (Exit::KmsRefused, "kms_precondition_failed"),
        KmsErrorKind::Proxy => (Exit::KmsRefused, "kms_proxy"),
        KmsErrorKind::QuotaExceeded => (Exit::KmsRefused, "kms_quota_exceeded"),
        KmsErrorKind::RateLimited => (Exit::KmsUnavailable, "kms_rate_limited"),
        KmsErrorKind::Refused => (Exit::KmsRefused, "kms_refused"),
        KmsErrorKind::TimedOut => (Exit::KmsUnavailable, "kms_timed_out"),
        KmsErrorKind::Tls => (Exit::KmsRefused, "kms_tls"),
        KmsErrorKind::Unauthenticated => (Exit::KmsRefused, "kms_unauthenticated"),
        KmsErrorKind::Unavailable => (Exit::KmsUnavailable, "kms_unavailable"),
        KmsErrorKind::UnknownHost => (Exit::KmsRefused, "kms_unknown_host"),
        KmsErrorKind::Unreachable => (Exit::KmsUnavailable, "kms_unreachable"),
        KmsErrorKind::UnsupportedUri => (Exit::Usage, "kms_unsupported_uri"),
        KmsErrorKind::UntrustedCertificate => (Exit::KmsRefused, "kms_untrusted_certificate"),
        _ => (Exit::Failed, "kms"),
    }
}

/// Suggests a next step. A hint that names a flag says nothing else: it is left out if a command
/// does not have the flag.
const fn hints(kind: KmsErrorKind) -> &'static [&'static str] {
    match kind {
        KmsErrorKind::MissingCredentials => &[
            "SCW_SECRET_KEY or scw's configuration file holds the secret key",
            "--profile NAME chooses another profile of the file",
            "without an account: keyseal emulator",
        ],
        KmsErrorKind::Unauthenticated => &[
            "the secret key comes from SCW_SECRET_KEY, or else from the selected profile of scw's \
             configuration file",
        ],
        KmsErrorKind::PermissionDenied => &[
            "in IAM, give the API key a permission such as KeyManagerKeyEncrypt, \
             KeyManagerKeyDecrypt or KeyManagerReadOnly",
            "a new permission can take up to two minutes to have an effect",
        ],
        KmsErrorKind::NotFound => &[
            "a key belongs to one region and one project: check SCW_DEFAULT_REGION and SCW_PROFILE",
            "--region REGION and --profile NAME choose them for one call",
            "keyseal kek list",
        ],
        KmsErrorKind::PreconditionFailed => &[
            "keyseal kek show KEY shows the state of the key",
            "kek enable, kek unprotect and kek restore change it",
        ],
        KmsErrorKind::Locked => &["Scaleway has locked it, and only Scaleway can unlock it"],
        KmsErrorKind::DecryptionFailed => {
            &["decryption needs the same key and associated data as encryption"]
        }
        KmsErrorKind::InvalidReply => {
            &["is there a proxy in between? SCW_API_URL must be the address of the API itself"]
        }
        KmsErrorKind::InvalidUri => &["keyseal kek list shows the URIs of your keys"],
        kind => connection_hints(kind),
    }
}

/// Suggests a next step where the service was not reached.
const fn connection_hints(kind: KmsErrorKind) -> &'static [&'static str] {
    match kind {
        KmsErrorKind::CaCertificate => &[
            "give the server a certificate that the authority issues, or one made with: openssl req \
             -x509 -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:HOST",
            "until then, no file of trusted certificates helps",
        ],
        KmsErrorKind::CertificateName => &[
            "SCW_API_URL must have the host name of the certificate",
            "--api-url URL sets it for one call",
        ],
        KmsErrorKind::Proxy => &[
            "HTTPS_PROXY or ALL_PROXY names the proxy: http://USER:PASSWORD@HOST:PORT",
            "NO_PROXY names hosts that are called directly",
        ],
        KmsErrorKind::Tls => &[
            "does the port speak TLS? SCW_API_URL must be the address of the API",
            "--api-url URL sets it for one call",
        ],
        KmsErrorKind::UnknownHost => &[
            "the host comes from SCW_API_URL, or else from scw's selected profile",
            "--api-url URL sets it for one call",
            "if a proxy resolves names for you, set HTTPS_PROXY",
        ],
        KmsErrorKind::Unreachable => &[
            "SCW_API_URL is the address of the API, HTTPS_PROXY that of a proxy",
            "--api-url URL sets the address for one call",
        ],
        KmsErrorKind::UntrustedCertificate => &[
            "SSL_CERT_FILE names a PEM file with the authorities to trust",
            "--ca-file FILE adds one for one call",
        ],
        _ => &[],
    }
}

/// Returns the hints of each kind that has some.
#[cfg(test)]
pub(crate) fn hints_by_kind() -> Vec<&'static [&'static str]> {
    use KmsErrorKind::{
        CaCertificate, CertificateName, DecryptionFailed, InvalidReply, InvalidUri, Locked,
        MissingCredentials, NotFound, PermissionDenied, PreconditionFailed, Proxy, Tls,
        Unauthenticated, UnknownHost, Unreachable, UntrustedCertificate,
    };
    let kinds = [
        CaCertificate,
        CertificateName,
        DecryptionFailed,
        InvalidReply,
        InvalidUri,
        Locked,
        MissingCredentials,
        NotFound,
        PermissionDenied,
        PreconditionFailed,
        Proxy,
        Tls,
        Unauthenticated,
        UnknownHost,
        Unreachable,
        UntrustedCertificate,
    ];
    kinds.map(hints).to_vec()
}
