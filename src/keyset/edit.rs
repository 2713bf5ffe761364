//! The life of a key: added, promoted, disabled, enabled, destroyed, deleted.

use super::{KeysetHandle, KeysetKey, Remains, State};
use crate::{
    error::KeysetError,
    key::{Key, KeyId},
};

impl KeysetHandle {
    /// Adds a key with a random id. It decrypts at once, and encrypts once it is promoted.
    ///
    /// Returns the id.
    ///
    /// # Errors
    /// [`KeysetError::OtherKind`]; [`KeysetError::TooManyKeys`]; [`KeysetError::Random`]
    pub fn add(&mut self, key: Key) -> Result<KeyId, KeysetError> {
        self.check_kind(None, &key)?;
        self.add_of_any_kind(key)
    }

    /// Adds a key with an id that you choose.
    ///
    /// # Errors
    /// [`KeysetError::OtherKind`]; [`KeysetError::TooManyKeys`]; [`KeysetError::DuplicateId`]
    pub fn add_with_id(&mut self, key: Key, id: KeyId) -> Result<(), KeysetError> {
        self.check_kind(Some(id), &key)?;
        self.add_of_any_kind_with_id(key, id)
    }

    /// Adds a key with a random id, even if it is of another kind than the keyset's.
    ///
    /// No primitive takes a keyset with enabled keys of two kinds. This is a step on the way from
    /// one kind to another: add a key, promote it, and disable or delete the others.
    ///
    /// # Errors
    /// [`KeysetError::TooManyKeys`]; [`KeysetError::Random`]
    ///
    /// # Example
    /// ```
    /// use keyseal::{Key, KeysetDeterministicAead, KeysetError, KeysetHandle};
    ///
    /// let mut keyset = KeysetHandle::generate("AES256_GCM")?;
    /// let old = keyset.primary_id();
    /// let key = Key::generate("AES256_SIV").map_err(KeysetError::Template)?;
    /// assert!(matches!(keyset.add(key.clone()), Err(KeysetError::OtherKind { .. })));
    ///
    /// let id = keyset.add_of_any_kind(key)?;
    /// keyset.promote(id)?;
    /// keyset.disable(old)?;
    /// let _: KeysetDeterministicAead = keyset.primitive()?;
    /// # Ok::<(), KeysetError>(())
    /// ```
    pub fn add_of_any_kind(&mut self, key: Key) -> Result<KeyId, KeysetError> {
        loop {
            let id = KeyId::random()?;
            match self.add_of_any_kind_with_id(key.clone(), id) {
                Err(KeysetError::DuplicateId { .. }) => {}
                done => return done.map(|()| id),
            }
        }
    }

    /// Adds a key with an id that you choose, even if it is of another kind than the keyset's, as
    /// [`add_of_any_kind`](Self::add_of_any_kind) does.
    ///
    /// # Errors
    /// [`KeysetError::DuplicateId`]; [`KeysetError::TooManyKeys`]
    pub fn add_of_any_kind_with_id(&mut self, key: Key, id: KeyId) -> Result<(), KeysetError> {
        if self.keys.len() >= Self::MAX_KEYS {
            return Err(KeysetError::TooManyKeys);
        }
        if self.keys.iter().any(|known| known.id == id) {
            return Err(KeysetError::DuplicateId { id });
        }
        self.keys.push(KeysetKey {
            id,
            state: State::Enabled(key),
        });
        Ok(())
    }

    /// Makes an enabled key the one that encrypts.
    ///
    /// # Errors
    /// [`KeysetError::UnknownId`]; [`KeysetError::NotEnabled`]; [`KeysetError::Destroyed`]
    pub fn promote(&mut self, id: KeyId) -> Result<(), KeysetError> {
        match self.find(id)?.state {
            State::Enabled(_) => {}
            State::Disabled(_) => return Err(KeysetError::NotEnabled { id }),
            State::Destroyed(_) => return Err(KeysetError::Destroyed { id }),
        }
        self.primary = id;
        Ok(())
    }

    /// Adds a key and promotes it. Returns its id.
    ///
    /// If several processes read the keyset, do it in two steps: [`add`](Self::add) the key and
    /// publish the keyset, and [`promote`](Self::promote) it once every reader has the new key.
    /// Otherwise a reader can get ciphertexts under a key that it does not have yet.
    ///
    /// # Errors
    /// [`KeysetError::OtherKind`]; [`KeysetError::TooManyKeys`]; [`KeysetError::Random`]
    pub fn rotate(&mut self, key: Key) -> Result<KeyId, KeysetError> {
        let id = self.add(key)?;
        self.primary = id;
        Ok(id)
    }

    /// Enables a disabled key. An enabled one stays enabled.
    ///
    /// # Errors
    /// [`KeysetError::UnknownId`]; [`KeysetError::Destroyed`]; [`KeysetError::OtherKind`] for a key
    /// that would make the keyset useless: promote a key of its kind first, or delete it
    pub fn enable(&mut self, id: KeyId) -> Result<(), KeysetError> {
        let key = match &self.find(id)?.state {
            State::Enabled(_) => return Ok(()),
            State::Disabled(key) => key.clone(),
            State::Destroyed(_) => return Err(KeysetError::Destroyed { id }),
        };
        self.check_kind(Some(id), &key)?;
        self.find(id)?.state = State::Enabled(key);
        Ok(())
    }

    /// Disables a key but keeps it: nothing that it encrypted decrypts until you enable it again.
    ///
    /// # Errors
    /// [`KeysetError::UnknownId`]; [`KeysetError::IsPrimary`]; [`KeysetError::Destroyed`]
    pub fn disable(&mut self, id: KeyId) -> Result<(), KeysetError> {
        let found = self.find_other_than_primary(id, "disabled")?;
        match &found.state {
            State::Enabled(key) => found.state = State::Disabled(key.clone()),
            State::Disabled(_) => {}
            State::Destroyed(_) => return Err(KeysetError::Destroyed { id }),
        }
        Ok(())
    }

    /// Drops the material of a key permanently, but keeps its id reserved.
    ///
    /// The material is wiped when the last clone of this handle, of the key and of the primitives
    /// made before is gone. If the key was destroyed by another program that left its material in
    /// the file, this drops it.
    ///
    /// tink-java with `TinkConfig2026` refuses a keyset with a destroyed key, and any tink-java
    /// refuses it in JSON: if Java reads the keyset, [`delete`](Self::delete) the key instead.
    ///
    /// # Errors
    /// [`KeysetError::UnknownId`]; [`KeysetError::IsPrimary`]
    pub fn destroy(&mut self, id: KeyId) -> Result<(), KeysetError> {
        let found = self.find_other_than_primary(id, "destroyed")?;
        let variant = match &found.state {
            State::Enabled(key) | State::Disabled(key) => key.variant(),
            State::Destroyed(remains) => remains.variant,
        };
        found.state = State::Destroyed(Remains {
            variant,
            data: None,
        });
        Ok(())
    }

    /// Removes a key permanently, and its id with it.
    ///
    /// # Errors
    /// [`KeysetError::UnknownId`]; [`KeysetError::IsPrimary`]
    pub fn delete(&mut self, id: KeyId) -> Result<(), KeysetError> {
        self.find_other_than_primary(id, "deleted")?;
        self.keys.retain(|key| key.id != id);
        Ok(())
    }

    /// Refuses a key that no primitive could use beside the primary key.
    fn check_kind(&self, id: Option<KeyId>, key: &Key) -> Result<(), KeysetError> {
        let Some(primary) = self.primary_key() else {
            return Ok(());
        };
        let fits = match (primary.kind(), key.kind()) {
            // Of a type that is not known, only keys of the same type are sure to fit.
            (None, None) => primary.type_url() == key.type_url(),
            (wanted, found) => wanted == found,
        };
        match fits {
            true => Ok(()),
            false => Err(KeysetError::OtherKind {
                id,
                type_url: key.type_url().to_owned(),
                found: key.kind(),
                keyset_type_url: primary.type_url().to_owned(),
                keyset: primary.kind(),
            }),
        }
    }

    fn find(&mut self, id: KeyId) -> Result<&mut KeysetKey, KeysetError> {
        self.keys
            .iter_mut()
            .find(|key| key.id == id)
            .ok_or(KeysetError::UnknownId { id })
    }

    fn find_other_than_primary(
        &mut self,
        id: KeyId,
        operation: &'static str,
    ) -> Result<&mut KeysetKey, KeysetError> {
        let primary = self.primary;
        let found = self.find(id)?;
        if id == primary {
            return Err(KeysetError::IsPrimary { id, operation });
        }
        Ok(found)
    }
}
