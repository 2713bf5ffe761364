//! Building an emulator.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use keyseal::kms::scaleway::Timestamp;

use super::{
    auth::{Anonymous, Identity},
    clock::{Clock, SystemClock},
    emulator::{Emulator, EmulatorError},
    service::Service,
    settings::{Parsing, Settings},
    state::State,
    state_file::{Found, StateKey},
};

impl Emulator {
    /// Makes an emulator without keys, with the system's clock and one API key of full access.
    ///
    /// # Errors
    /// [`EmulatorError::Random`] when the operating system gives no randomness.
    pub fn new() -> Result<Self, EmulatorError> {
        Self::builder().build()
    }

    /// Starts to describe an emulator.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }
}

/// Describes an [`Emulator`].
///
/// # Example
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use keyseal_emulator::{Emulator, ManualClock, Parsing};
///
/// let clock = ManualClock::new(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
/// let emulator = Emulator::builder().clock(clock.clone()).parsing(Parsing::Strict).build()?;
/// clock.advance(Duration::from_secs(86_400));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct EmulatorBuilder {
    clock: Box<dyn Clock>,
    settings: Settings,
    identities: Vec<Identity>,
    file: Option<(PathBuf, StateKey)>,
}

impl Default for EmulatorBuilder {
    fn default() -> Self {
        Self {
            clock: Box::new(SystemClock),
            settings: Settings {
                parsing: Parsing::default(),
                anonymous: Anonymous::Refused,
                key_quota: usize::MAX,
            },
            identities: Vec::new(),
            file: None,
        }
    }
}

impl EmulatorBuilder {
    /// Sets the clock. The default is [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Adds an API key. Without any, one with full access is generated or read from the state
    /// file.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identities.push(identity);
        self
    }

    /// Serves requests without any token as if the first API key had sent them. A wrong token is
    /// still refused.
    pub fn allow_anonymous(mut self) -> Self {
        self.settings.anonymous = Anonymous::Served;
        self
    }

    /// Sets how to treat requests that the documentation neither allows nor forbids.
    pub fn parsing(mut self, parsing: Parsing) -> Self {
        self.settings.parsing = parsing;
        self
    }

    /// Sets how many keys a project can have, those scheduled for deletion included. The default
    /// is no limit.
    pub fn key_quota(mut self, keys: usize) -> Self {
        self.settings.key_quota = keys;
        self
    }

    /// Keeps the state in a file, encrypted under `key`: keys, the generated API key, how far the
    /// clock was moved forward.
    ///
    /// A change is in the file before its request is answered, so it survives however the process
    /// ends. A power failure can lose the changes of the last seconds, and nothing else.
    ///
    /// # Security
    /// Anyone who can write the file can replace it with an older state under the same key, or cut
    /// off the last changes.
    pub fn state_file(mut self, path: &Path, key: StateKey) -> Self {
        self.file = Some((path.to_owned(), key));
        self
    }

    /// Makes the emulator.
    ///
    /// # Errors
    /// [`EmulatorError::State`] when the state file cannot be used; [`EmulatorError::Random`].
    pub fn build(self) -> Result<Emulator, EmulatorError> {
        let (found, mut state) = match self.file {
            Some((path, key)) => {
                let (found, state) = Found::open(&path, key).map_err(EmulatorError::State)?;
                (Some(found), state)
            }
            None => (None, State::default()),
        };
        let now = Timestamp::from(self.clock.now()).saturating_add(state.clock_offset.duration());
        let mut identities: Vec<Arc<Identity>> = self
            .identities
            .into_iter()
            .map(|identity| Arc::new(identity.created_at(now)))
            .collect();
        let first_identity = match identities.first() {
            Some(first) => Identity::clone(first),
            None => {
                let known = state.identity.take().map_or_else(Identity::generate, Ok);
                let first = known.map_err(EmulatorError::Random)?.created_at(now);
                identities.push(Arc::new(first.clone()));
                state.identity = Some(first.clone());
                first
            }
        };
        let file = match found {
            Some(found) => {
                let written = state.to_bytes().map_err(|_| EmulatorError::NotSaved)?;
                Some(found.begin(&written).map_err(EmulatorError::State)?)
            }
            None => None,
        };
        let service = Service {
            clock: self.clock,
            settings: self.settings,
            first_identity,
            identities: Mutex::new(identities),
            state: Mutex::new(state),
            file,
            faults: Mutex::default(),
            exchanges: Mutex::default(),
        };
        Ok(Emulator(Arc::new(service)))
    }
}

impl fmt::Debug for EmulatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorBuilder")
            .field("settings", &self.settings)
            .field("identities", &self.identities)
            .finish_non_exhaustive()
    }
}
