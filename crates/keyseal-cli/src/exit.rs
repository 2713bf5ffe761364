//! Exit codes.

/// How the program ends. The numbers are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    InputOutput = 3,
    NotDecrypted = 4,
    KeysetInvalid = 5,
    KmsRefused = 6,
    KmsUnavailable = 7,
    LintFound = 8,
    Interrupted = 130,
}

impl Exit {
    pub(crate) const ALL: [Self; 10] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::InputOutput,
        Self::NotDecrypted,
        Self::KeysetInvalid,
        Self::KmsRefused,
        Self::KmsUnavailable,
        Self::LintFound,
        Self::Interrupted,
    ];

    /// Returns whether a service refused or did not answer.
    pub(crate) const fn is_of_the_kms(self) -> bool {
        matches!(self, Self::KmsRefused | Self::KmsUnavailable)
    }

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "another failure",
            Self::Usage => "the command line is not valid",
            Self::InputOutput => "a file could not be read or written",
            Self::NotDecrypted => "decryption or authentication failed",
            Self::KeysetInvalid => "the keyset is invalid, or of the wrong kind",
            Self::KmsRefused => {
                "the KMS refused: credentials, certificate, address, state of the key, usage"
            }
            Self::KmsUnavailable => "the KMS is unavailable or timed out: try again later",
            Self::LintFound => "`keyset lint` found something",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns the list for the help.
    pub(crate) fn table() -> String {
        let mut table = String::from("Exit codes:");
        for exit in Self::ALL {
            table.push_str(&format!("\n  {:3}  {}", exit.code(), exit.meaning()));
        }
        table
    }
}
