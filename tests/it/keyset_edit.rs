//! Random edits of a keyset, against a model of what each of them does.

use keyseal::{
    Aead as _, Key, KeyId, KeysetAead, KeysetError, KeysetHandle, Variant,
    key::aes_gcm::AesGcmKey,
    keyset::{Format, Status},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::support::{FORMATS, read, secret, write};

#[derive(Clone, Copy, Debug)]
enum Edit {
    Add(Variant),
    AddWithId(Variant, u32),
    Rotate(Variant),
    Promote(u32),
    Enable(u32),
    Disable(u32),
    Destroy(u32),
    Delete(u32),
    Reload(Format),
}

/// Ids are few, so that most edits meet a key; those from 100 on stand for keys by their place.
fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let id = || prop_oneof![0..6_u32, 100..106_u32, Just(u32::MAX)];
    let variant = || select(&Variant::ALL[..]);
    let edit = prop_oneof![
        1 => variant().prop_map(Edit::Add),
        3 => (variant(), 0..6_u32).prop_map(|(variant, id)| Edit::AddWithId(variant, id)),
        1 => variant().prop_map(Edit::Rotate),
        3 => id().prop_map(Edit::Promote),
        2 => id().prop_map(Edit::Enable),
        3 => id().prop_map(Edit::Disable),
        2 => id().prop_map(Edit::Destroy),
        2 => id().prop_map(Edit::Delete),
        1 => select(&FORMATS[..]).prop_map(Edit::Reload),
    ];
    vec(edit, 1..40)
}

/// The expected state of a keyset.
struct Model {
    keys: Vec<ModelKey>,
    primary: KeyId,
    /// A ciphertext of every key that ever was, and the number of that key.
    ciphertexts: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq)]
struct ModelKey {
    id: KeyId,
    status: Status,
    variant: Variant,
    number: usize,
}

impl Model {
    /// Makes a key that no other equals, for the keyset and for the model.
    fn new_key(&self, variant: Variant) -> Key {
        let number = u8::try_from(self.ciphertexts.len()).unwrap();
        Key::new(AesGcmKey::new(secret([number; 16])).unwrap(), variant).unwrap()
    }

    fn push(&mut self, id: KeyId, key: &Key) {
        let alone: KeysetAead = KeysetHandle::with_id(key.clone(), id).primitive().unwrap();
        self.keys.push(ModelKey {
            id,
            status: Status::Enabled,
            variant: key.variant(),
            number: self.ciphertexts.len(),
        });
        self.ciphertexts
            .push(alone.encrypt(b"plaintext", b"").unwrap());
    }

    fn id(&self, id: u32) -> KeyId {
        match id
            .checked_sub(100)
            .and_then(|place| self.keys.get(place as usize))
        {
            Some(key) => key.id,
            None => KeyId::new(id),
        }
    }

    fn find(&mut self, id: KeyId) -> Result<&mut ModelKey, KeysetError> {
        let found = self.keys.iter_mut().find(|key| key.id == id);
        found.ok_or(KeysetError::UnknownId { id })
    }

    fn find_other_than_primary(
        &mut self,
        id: KeyId,
        operation: &'static str,
    ) -> Result<&mut ModelKey, KeysetError> {
        let is_primary = id == self.primary;
        let found = self.find(id)?;
        match is_primary {
            true => Err(KeysetError::IsPrimary { id, operation }),
            false => Ok(found),
        }
    }

    /// Does an edit to the model and to the keyset, and checks that both say the same of it.
    fn apply(&mut self, edit: Edit, keyset: &mut KeysetHandle) {
        let before = (keyset.info(), write(keyset, Format::Binary));
        let (expected, done) = match edit {
            Edit::Add(variant) | Edit::Rotate(variant) => {
                let key = self.new_key(variant);
                let id = match edit {
                    Edit::Add(_) => keyset.add(key.clone()).unwrap(),
                    _ => keyset.rotate(key.clone()).unwrap(),
                };
                assert!(self.find(id).is_err() && id != KeyId::new(0));
                self.push(id, &key);
                if matches!(edit, Edit::Rotate(_)) {
                    self.primary = id;
                }
                (Ok(()), Ok(()))
            }
            Edit::AddWithId(variant, id) => {
                let id = KeyId::new(id);
                let key = self.new_key(variant);
                let done = keyset.add_with_id(key.clone(), id);
                if self.find(id).is_ok() {
                    (Err(KeysetError::DuplicateId { id }), done)
                } else {
                    self.push(id, &key);
                    (Ok(()), done)
                }
            }
            Edit::Promote(id) => {
                let id = self.id(id);
                let expected = self.find(id).and_then(|key| match key.status {
                    Status::Enabled => Ok(()),
                    Status::Disabled => Err(KeysetError::NotEnabled { id }),
                    Status::Destroyed => Err(KeysetError::Destroyed { id }),
                });
                if expected.is_ok() {
                    self.primary = id;
                }
                (expected, keyset.promote(id))
            }
            Edit::Enable(id) => {
                let id = self.id(id);
                let found = self.find(id);
                (
                    found.and_then(|key| key.revive(Status::Enabled)),
                    keyset.enable(id),
                )
            }
            Edit::Disable(id) => {
                let id = self.id(id);
                let found = self.find_other_than_primary(id, "disabled");
                (
                    found.and_then(|key| key.revive(Status::Disabled)),
                    keyset.disable(id),
                )
            }
            Edit::Destroy(id) => {
                let id = self.id(id);
                let found = self.find_other_than_primary(id, "destroyed");
                (
                    found.map(|key| key.status = Status::Destroyed),
                    keyset.destroy(id),
                )
            }
            Edit::Delete(id) => {
                let id = self.id(id);
                let found = self.find_other_than_primary(id, "deleted").map(|_| ());
                if found.is_ok() {
                    self.keys.retain(|key| key.id != id);
                }
                (found, keyset.delete(id))
            }
            Edit::Reload(format) => {
                *keyset = read(write(keyset, format), format).unwrap();
                (Ok(()), Ok(()))
            }
        };
        assert_eq!(done, expected, "{edit:?}");
        if done.is_err() {
            let after = (keyset.info(), write(keyset, Format::Binary));
            assert_eq!(after, before, "{edit:?} failed and changed the keyset");
        }
    }

    fn check(&self, keyset: &KeysetHandle) {
        assert_eq!(keyset.primary_id(), self.primary);
        assert_eq!(keyset.len(), self.keys.len());
        let keys: Vec<_> = keyset.entries().zip(&self.keys).collect();
        for (entry, model) in &keys {
            assert_eq!(entry.id(), model.id);
            assert_eq!(entry.status(), model.status);
            assert_eq!(entry.variant(), model.variant);
            assert_eq!(entry.is_primary(), model.id == self.primary);
            assert_eq!(entry.key().is_some(), model.status != Status::Destroyed);
        }
        let info = keyset.info();
        assert_eq!(info.primary_id(), self.primary);
        for (info, model) in info.keys().iter().zip(&self.keys) {
            let seen = (info.id(), info.status(), info.variant());
            assert_eq!(seen, (model.id, Some(model.status), Some(model.variant)));
        }

        let aead: KeysetAead = keyset.primitive().unwrap();
        for (number, ciphertext) in self.ciphertexts.iter().enumerate() {
            let in_use = self
                .keys
                .iter()
                .any(|key| key.number == number && key.status == Status::Enabled);
            assert_eq!(
                aead.decrypt(ciphertext, b"").is_ok(),
                in_use,
                "key {number}"
            );
        }
        let primary = self.keys.iter().find(|key| key.id == self.primary).unwrap();
        let ciphertext = aead.encrypt(b"plaintext", b"").unwrap();
        assert!(ciphertext.starts_with(primary.variant.prefix(self.primary).as_bytes()));
    }
}

impl ModelKey {
    fn revive(&mut self, status: Status) -> Result<(), KeysetError> {
        match self.status {
            Status::Destroyed => Err(KeysetError::Destroyed { id: self.id }),
            _ => {
                self.status = status;
                Ok(())
            }
        }
    }
}

proptest! {
    #[test]
    fn random_edits_do_what_the_model_says(first in select(&Variant::ALL[..]), edits in edits()) {
        let id = KeyId::new(3);
        let mut model = Model { keys: Vec::new(), primary: id, ciphertexts: Vec::new() };
        let key = model.new_key(first);
        let mut keyset = KeysetHandle::with_id(key.clone(), id);
        model.push(id, &key);
        for edit in edits {
            let untouched = keyset.clone();
            let (info, bytes) = (untouched.info(), write(&untouched, Format::Binary));
            model.apply(edit, &mut keyset);
            model.check(&keyset);
            // A clone is an independent keyset.
            prop_assert_eq!(untouched.info(), info);
            prop_assert_eq!(write(&untouched, Format::Binary), bytes);
        }
        for format in FORMATS {
            model.check(&read(write(&keyset, format), format).unwrap());
        }
    }
}

#[test]
fn a_destroyed_key_is_gone_from_what_is_written() {
    let material = [0xab; 32];
    let key = Key::new(AesGcmKey::new(secret(material)).unwrap(), Variant::Tink).unwrap();
    let mut keyset = KeysetHandle::generate("AES128_GCM").unwrap();
    let id = keyset.add(key).unwrap();
    let holds = |keyset: &KeysetHandle| {
        let file = write(keyset, Format::Binary);
        file.windows(8).any(|window| window == &material[..8])
    };
    assert!(holds(&keyset));
    keyset.disable(id).unwrap();
    assert!(holds(&keyset));
    let left = String::from_utf8(write(&keyset, Format::Json)).unwrap();
    let left = left.replace("DISABLED", "DESTROYED");
    keyset.destroy(id).unwrap();
    assert!(!holds(&keyset));
    // Its id is taken, and it says what prefix it had.
    let again = keyset.add_with_id(Key::generate("AES128_GCM").unwrap(), id);
    assert_eq!(again, Err(KeysetError::DuplicateId { id }));
    let entry = keyset.entries().nth(1).unwrap();
    assert_eq!(
        (entry.status(), entry.variant()),
        (Status::Destroyed, Variant::Tink)
    );
    // What another program left of a key that it destroyed is gone when it is destroyed here.
    let mut keyset = read(left, Format::Json).unwrap();
    assert!(holds(&keyset));
    let keeps = |keyset: &KeysetHandle| -> Vec<bool> {
        let entries = keyset.entries();
        entries
            .map(|entry| entry.keeps_destroyed_material())
            .collect()
    };
    assert_eq!(keeps(&keyset), [false, true]);
    assert!(keyset.entries().nth(1).unwrap().key().is_none());
    for edit in [
        KeysetHandle::enable,
        KeysetHandle::disable,
        KeysetHandle::promote,
    ] {
        assert_eq!(edit(&mut keyset, id), Err(KeysetError::Destroyed { id }));
    }
    assert!(holds(&keyset));
    keyset.destroy(id).unwrap();
    assert!(!holds(&keyset));
    assert_eq!(keeps(&keyset), [false, false]);
    // Destroying twice is no error, and deleting ends it.
    assert_eq!(keyset.destroy(id), Ok(()));
    assert_eq!(keyset.delete(id), Ok(()));
    assert_eq!(keyset.delete(id), Err(KeysetError::UnknownId { id }));
}
