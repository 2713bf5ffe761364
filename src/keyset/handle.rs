//! [`KeysetHandle`]: a keyset that is always valid.

use std::fmt;

use crate::{
    cipher::Provider,
    error::{KeyError, KeysetError, RandomError},
    key::{Key, KeyId, KeyKind, KeyTypes, PerKey, PrefixMap, Prefixed, Variant},
    rng, wire,
};

/// A keyset that is always valid: at least one key, unique ids, one enabled primary key.
///
/// With a `&KeysetHandle` you read it and make primitives; with a `&mut KeysetHandle` you also edit
/// it. Every edit keeps it valid, or fails and changes nothing. Cheap to clone. `Debug` shows ids,
/// types and statuses.
///
/// # Example
/// ```
/// use keyseal::{Aead, Key, KeysetAead, KeysetHandle};
///
/// let mut keyset = KeysetHandle::generate("AES128_GCM")?;
/// let before: KeysetAead = keyset.primitive()?;
/// let old = before.encrypt(b"written before the rotation", b"")?;
///
/// keyset.rotate(Key::generate("XCHACHA20_POLY1305")?)?;
/// let after: KeysetAead = keyset.primitive()?;
/// assert_eq!(after.decrypt(&old, b"")?, b"written before the rotation");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeysetHandle {
    /// In the order of the file. Never empty.
    pub(super) keys: Vec<KeysetKey>,
    pub(super) primary: KeyId,
}

#[derive(Clone)]
pub(super) struct KeysetKey {
    pub(super) id: KeyId,
    pub(super) state: State,
}

/// A status and the data that the key has left in it.
#[derive(Clone)]
pub(super) enum State {
    Enabled(Key),
    Disabled(Key),
    Destroyed(Remains),
}

/// The remains of a destroyed key.
#[derive(Clone)]
pub(super) struct Remains {
    pub(super) variant: Variant,
    /// The key data, if the file still has it. It is not used, and is kept unchanged, as other
    /// Tinks keep it.
    pub(super) data: Option<Key>,
}

/// Whether a key of a keyset may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "Tink's list, complete")]
pub enum Status {
    /// The key decrypts, and encrypts if it is primary.
    Enabled,
    /// The key is kept, but not used.
    Disabled,
    /// The key only keeps its id reserved. Its material is gone; if another program has left the
    /// material in the file, it stays there until you destroy the key again.
    Destroyed,
}

impl Status {
    /// Returns the name in Tink's files, such as `ENABLED`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
            Self::Destroyed => "DESTROYED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One key of a keyset, with its id and status.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    key: &'a KeysetKey,
    is_primary: bool,
}

impl<'a> Entry<'a> {
    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.key.id
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self.key.state {
            State::Enabled(_) => Status::Enabled,
            State::Disabled(_) => Status::Disabled,
            State::Destroyed(_) => Status::Destroyed,
        }
    }

    /// Returns the key, or `None` if it is destroyed.
    #[must_use]
    pub const fn key(&self) -> Option<&'a Key> {
        match &self.key.state {
            State::Enabled(key) | State::Disabled(key) => Some(key),
            State::Destroyed(_) => None,
        }
    }

    /// Returns the output prefix type.
    #[must_use]
    pub const fn variant(&self) -> Variant {
        match &self.key.state {
            State::Enabled(key) | State::Disabled(key) => key.variant(),
            State::Destroyed(remains) => remains.variant,
        }
    }

    /// Returns whether the key is destroyed but its material is still in the file, where some
    /// programs leave it. [`KeysetHandle::destroy`] and [`KeysetHandle::delete`] wipe it.
    #[must_use]
    pub fn keeps_destroyed_material(&self) -> bool {
        match &self.key.state {
            State::Destroyed(remains) => {
                let data = remains.data.as_ref();
                data.is_some_and(|key| !key.value().is_empty())
            }
            State::Enabled(_) | State::Disabled(_) => false,
        }
    }

    /// Returns the key's data in the file, whatever its status.
    pub(super) const fn data(&self) -> Option<&'a Key> {
        match &self.key.state {
            State::Enabled(key) | State::Disabled(key) => Some(key),
            State::Destroyed(remains) => remains.data.as_ref(),
        }
    }

    /// Returns whether this is the key that encrypts.
    #[must_use]
    pub const fn is_primary(&self) -> bool {
        self.is_primary
    }
}

impl fmt::Debug for KeysetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = Entry {
            key: self,
            is_primary: false,
        };
        f.debug_struct("KeysetKey")
            .field("id", &self.id.value())
            .field("status", &entry.status())
            .field("type_url", &entry.key().map(Key::type_url))
            .field("variant", &entry.variant())
            .finish()
    }
}

impl fmt::Debug for KeysetHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysetHandle")
            .field("primary", &self.primary.value())
            .field("keys", &self.keys)
            .finish()
    }
}

/// A primitive that can be made from a keyset, such as [`KeysetAead`](crate::KeysetAead).
pub trait Primitive: Sized {
    #[doc(hidden)]
    fn from_keyset(keyset: &KeysetHandle, provider: Provider) -> Result<Self, KeysetError>;
}

impl KeysetHandle {
    /// The most keys that a keyset can have: one for each day of 27 years.
    ///
    /// Two bytes of input can stand for a key that takes a hundred bytes of memory. With this
    /// limit, reading takes memory in proportion to the size of the input.
    pub const MAX_KEYS: usize = wire::MAX_KEYS;

    /// Makes a keyset of one key, with a random id.
    ///
    /// # Errors
    /// [`KeysetError::Random`]
    pub fn new(key: Key) -> Result<Self, KeysetError> {
        Ok(Self::with_id(key, KeyId::random()?))
    }

    /// Makes a keyset of one key, with an id that you choose.
    #[must_use]
    pub fn with_id(key: Key, id: KeyId) -> Self {
        Self {
            keys: vec![KeysetKey {
                id,
                state: State::Enabled(key),
            }],
            primary: id,
        }
    }

    /// Generates a keyset of one key by the name of its template, such as `AES256_GCM`.
    ///
    /// # Errors
    /// [`KeysetError::Template`] with [`KeyError::UnknownTemplate`](crate::KeyError) or
    /// [`KeyError::Random`](crate::KeyError)
    pub fn generate(template: &str) -> Result<Self, KeysetError> {
        Self::new(
            KeyTypes::default()
                .generate(template)
                .map_err(KeysetError::Template)?,
        )
    }

    /// Returns the keys, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.keys.iter().map(|key| Entry {
            key,
            is_primary: key.id == self.primary,
        })
    }

    /// Returns the primary key, which encrypts.
    ///
    /// # Example
    /// ```
    /// use keyseal::KeysetHandle;
    ///
    /// let keyset = KeysetHandle::generate("AES256_GCM")?;
    /// assert_eq!(keyset.primary().id(), keyset.primary_id());
    /// # Ok::<(), keyseal::KeysetError>(())
    /// ```
    ///
    /// # Panics
    /// Never: every way to make or edit a keyset keeps a primary key.
    #[must_use]
    pub fn primary(&self) -> Entry<'_> {
        self.entries()
            .find(Entry::is_primary)
            .expect("a keyset has a primary key")
    }

    /// Returns the id of the primary key.
    #[must_use]
    pub const fn primary_id(&self) -> KeyId {
        self.primary
    }

    /// Returns the kind of the keyset, which is that of its primary key, or `None` if the type of
    /// that key is not known.
    ///
    /// [`add`](Self::add), [`rotate`](Self::rotate) and [`enable`](Self::enable) accept only keys
    /// of this kind.
    #[must_use]
    pub fn kind(&self) -> Option<KeyKind> {
        self.primary_key().and_then(Key::kind)
    }

    pub(super) fn primary_key(&self) -> Option<&Key> {
        self.enabled()
            .find_map(|(id, key)| (id == self.primary).then_some(key))
    }

    /// Returns the number of keys, of any status.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a keyset is never empty")]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Makes a primitive, such as a [`KeysetAead`](crate::KeysetAead), with the fastest provider.
    ///
    /// # Errors
    /// [`KeysetError::WrongPrimitive`] if an enabled key is of another kind or an unknown type;
    /// [`KeysetError::Key`] if a key cannot be used, for example because a service holds it.
    pub fn primitive<P: Primitive>(&self) -> Result<P, KeysetError> {
        self.primitive_with(Provider::FASTEST)
    }

    /// Makes a primitive with a provider that you choose.
    ///
    /// # Errors
    /// The errors of [`primitive`](Self::primitive).
    pub fn primitive_with<P: Primitive>(&self, provider: Provider) -> Result<P, KeysetError> {
        P::from_keyset(self, provider)
    }

    /// Returns the keys that a primitive is made of, in the order of the file.
    pub(crate) fn enabled(&self) -> impl Iterator<Item = (KeyId, &Key)> {
        self.keys.iter().filter_map(|key| match &key.state {
            State::Enabled(enabled) => Some((key.id, enabled)),
            State::Disabled(_) | State::Destroyed(_) => None,
        })
    }

    /// Makes each enabled key into what `make` says it is for.
    pub(crate) fn make_each<T>(
        &self,
        wanted: KeyKind,
        make: impl Fn(KeyId, &Key) -> Option<Result<T, KeyError>>,
    ) -> Result<PerKey<T>, KeysetError> {
        let made = self.enabled().map(|(id, key)| match make(id, key) {
            Some(made) => Ok((id, made.map_err(|source| KeysetError::Key { id, source })?)),
            None => Err(KeysetError::WrongPrimitive {
                id,
                type_url: key.type_url().to_owned(),
                found: key.kind(),
                wanted,
            }),
        });
        PerKey::new(made.collect::<Result<_, _>>()?, self.primary)
            .ok_or(KeysetError::NoPrimary { id: self.primary })
    }

    /// Makes each enabled key into what `make` says it is for, found by its prefix.
    pub(crate) fn make_prefix_map<T: Prefixed>(
        &self,
        wanted: KeyKind,
        make: impl Fn(KeyId, &Key) -> Option<Result<T, KeyError>>,
    ) -> Result<PrefixMap<T>, KeysetError> {
        self.make_each(wanted, make).map(PrefixMap::new)
    }

    /// Puts a keyset of enabled keys together.
    pub(crate) fn from_enabled(
        keys: Vec<(KeyId, Key)>,
        primary: KeyId,
    ) -> Result<Self, KeysetError> {
        let keys = keys
            .into_iter()
            .map(|(id, key)| KeysetKey {
                id,
                state: State::Enabled(key),
            })
            .collect();
        Self::from_keys(keys, primary)
    }

    /// Puts a keyset together and checks it as a whole.
    pub(super) fn from_keys(keys: Vec<KeysetKey>, primary: KeyId) -> Result<Self, KeysetError> {
        if keys.is_empty() {
            return Err(KeysetError::Empty);
        }
        if keys.len() > Self::MAX_KEYS {
            return Err(KeysetError::TooManyKeys);
        }
        let mut ids: Vec<KeyId> = keys.iter().map(|key| key.id).collect();
        ids.sort_unstable();
        if let Some(id) = ids.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some(*a),
            _ => None,
        }) {
            return Err(KeysetError::DuplicateId { id });
        }
        match keys
            .iter()
            .find(|key| key.id == primary)
            .map(|key| &key.state)
        {
            None => Err(KeysetError::NoPrimary { id: primary }),
            Some(State::Enabled(_)) => Ok(Self { keys, primary }),
            Some(_) => Err(KeysetError::PrimaryNotEnabled { id: primary }),
        }
    }
}

impl KeyId {
    /// Draws an id from 1 to 2³² − 1 from the system.
    pub(crate) fn random() -> Result<Self, RandomError> {
        loop {
            let mut id = [0; 4];
            rng::fill_secret(&mut id)?;
            // 0 is legal, but some Tink releases refuse it.
            if id != [0; 4] {
                return Ok(Self::new(u32::from_be_bytes(id)));
            }
        }
    }
}
