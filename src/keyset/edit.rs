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
    /// [`KeysetError::Random`]
    pub fn add(&mut self, key: Key) -> Result<KeyId, KeysetError> {
        loop {
            let id = KeyId::random()?;
            match self.add_with_id(key.clone(), id) {
                Err(KeysetError::DuplicateId { .. }) => {}
                done => return done.map(|()| id),
            }
        }
    }

    /// Adds a key with an id of the caller's choice.
    ///
    /// # Errors
    /// [`KeysetError::DuplicateId`]; [`KeysetError::TooManyKeys`]
    pub fn add_with_id(&mut self, key: Key, id: KeyId) -> Result<(), KeysetError> {
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
    /// Where several processes read the keyset, do it in two steps: [`add`](Self::add) and publish
    /// the keyset, and [`promote`](Self::promote) when every reader has the new key; or a reader
    /// meets ciphertexts of a key that it does not know.
    ///
    /// # Errors
    /// [`KeysetError::Random`]
    pub fn rotate(&mut self, key: Key) -> Result<KeyId, KeysetError> {
        let id = self.add(key)?;
        self.primary = id;
        Ok(id)
    }

    /// Takes a disabled key back into use. An enabled one stays as it is.
    ///
    /// # Errors
    /// [`KeysetError::UnknownId`]; [`KeysetError::Destroyed`]
    pub fn enable(&mut self, id: KeyId) -> Result<(), KeysetError> {
        let found = self.find(id)?;
        match &found.state {
            State::Enabled(_) => {}
            State::Disabled(key) => found.state = State::Enabled(key.clone()),
            State::Destroyed(_) => return Err(KeysetError::Destroyed { id }),
        }
        Ok(())
    }

    /// Takes a key out of use and keeps it: nothing that it encrypted opens until it is enabled.
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

    /// Drops the material of a key, for ever, and keeps its id taken.
    ///
    /// It is wiped when the last clone of this handle and of the key is gone, and the last primitive
    /// that was made before. Of a key that was destroyed elsewhere, and whose material the file still
    /// has, it drops that.
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

    /// Removes a key, for ever, and its id with it.
    ///
    /// # Errors
    /// [`KeysetError::UnknownId`]; [`KeysetError::IsPrimary`]
    pub fn delete(&mut self, id: KeyId) -> Result<(), KeysetError> {
        self.find_other_than_primary(id, "deleted")?;
        self.keys.retain(|key| key.id != id);
        Ok(())
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
