//! [`LimitedAead`]: an AEAD that counts its messages.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::store::{Usage, UsageLimits, UsageStore};
use crate::{
    aead::KeysetAead,
    error::{DecryptError, EncryptError, KeysetError},
    key::KeyId,
    keyset::KeysetHandle,
    primitive::Aead,
};

type SoftLimitHook = Arc<dyn Fn(KeyId, Usage) + Send + Sync>;

/// An [`Aead`] that counts its messages, with one key. Cheap to clone; clones count together.
///
/// It stores the usage in advance, in steps of 1,024 messages and 64 MiB, and the exact count when
/// the last clone is dropped. So after a crash, the count of a key can be up to 1,024 messages and
/// 64 MiB too high, but never too low. [`step`](Self::step) changes the step. If the usage cannot
/// be stored, it refuses to encrypt.
///
/// The hook is called at the first message above the soft limit, and again after a restart. After a
/// rotation, make a new one for the new primary key, with the same store.
pub struct LimitedAead<A> {
    aead: A,
    meter: Arc<Meter>,
    on_soft_limit: Option<SoftLimitHook>,
}

/// The usage of one key.
struct Meter {
    key_id: KeyId,
    limits: UsageLimits,
    store: Box<dyn UsageStore>,
    count: Mutex<Count>,
}

struct Count {
    used: Usage,
    /// Usage up to here is stored already.
    reserved: Usage,
    step: Usage,
    is_past_soft: bool,
}

impl LimitedAead<KeysetAead> {
    /// Counts the uses of a keyset's primary key, within the bounds of its type.
    ///
    /// # Errors
    /// [`KeysetError::WrongPrimitive`], [`KeysetError::Key`]; [`KeysetError::Encrypt`] with
    /// [`EncryptError::UsageNotStored`] if the store cannot be read.
    pub fn of_keyset(
        keyset: &KeysetHandle,
        store: impl UsageStore + 'static,
    ) -> Result<Self, KeysetError> {
        let limits = UsageLimits::of_keyset(keyset);
        Self::new(keyset.primitive()?, keyset.primary_id(), limits, store)
            .map_err(KeysetError::Encrypt)
    }
}

impl<A> LimitedAead<A> {
    /// Counts the uses of the key that `aead` encrypts with, under the id `key_id`.
    ///
    /// # Errors
    /// [`EncryptError::UsageNotStored`] if the store cannot be read.
    pub fn new(
        aead: A,
        key_id: KeyId,
        limits: UsageLimits,
        store: impl UsageStore + 'static,
    ) -> Result<Self, EncryptError> {
        let used = store
            .load(key_id)
            .map_err(|error| not_stored(key_id, &error))?;
        let count = Count {
            used,
            reserved: used,
            step: Usage {
                messages: 1024,
                bytes: 64 << 20,
            },
            is_past_soft: false,
        };
        Ok(Self {
            aead,
            meter: Arc::new(Meter {
                key_id,
                limits,
                store: Box::new(store),
                count: Mutex::new(count),
            }),
            on_soft_limit: None,
        })
    }

    /// Sets the hook of the soft limit: "rotate now". It runs on the thread that encrypts.
    #[must_use]
    pub fn on_soft_limit(self, hook: impl Fn(KeyId, Usage) + Send + Sync + 'static) -> Self {
        Self {
            on_soft_limit: Some(Arc::new(hook)),
            ..self
        }
    }

    /// Sets how much usage is stored in advance, which is also how far the count can be too high
    /// after a crash.
    #[must_use]
    pub fn step(self, step: Usage) -> Self {
        self.meter.count().step = step;
        self
    }

    /// Returns the usage of the key so far. After a crash, it may be higher than the real one.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.meter.count().used
    }

    /// Counts a message before it is encrypted.
    fn count(&self, len: usize) -> Result<(), EncryptError> {
        let message = Usage {
            messages: 1,
            bytes: len as u64,
        };
        let passed_soft = self.meter.take(message)?;
        if let (Some(usage), Some(hook)) = (passed_soft, &self.on_soft_limit) {
            hook(self.meter.key_id, usage);
        }
        Ok(())
    }
}

impl Meter {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message, and returns the usage if it is the first one past the soft limit.
    fn take(&self, message: Usage) -> Result<Option<Usage>, EncryptError> {
        let mut count = self.count();
        let used = count.used.plus(message);
        if !used.is_within(self.limits.hard) {
            return Err(EncryptError::KeyExhausted {
                key_id: self.key_id,
                messages: count.used.messages,
                bytes: count.used.bytes,
            });
        }
        if !used.is_within(count.reserved) {
            // Stored before it is used: a crash in between counts too much, never too little.
            let reserved = used.plus(count.step).least(self.limits.hard);
            self.store
                .store(self.key_id, reserved)
                .map_err(|error| not_stored(self.key_id, &error))?;
            count.reserved = reserved;
        }
        count.used = used;
        let passes = !count.is_past_soft && !used.is_within(self.limits.soft);
        count.is_past_soft |= passes;
        Ok(passes.then_some(used))
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let (used, reserved) = {
            let count = self.count();
            (count.used, count.reserved)
        };
        if used != reserved {
            // If it fails, the reserved usage counts.
            let _ = self.store.store(self.key_id, used);
        }
    }
}

fn not_stored(key_id: KeyId, error: &io::Error) -> EncryptError {
    EncryptError::UsageNotStored {
        key_id,
        reason: error.to_string(),
    }
}

impl<A: Aead> Aead for LimitedAead<A> {
    fn encrypt(&self, plaintext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, EncryptError> {
        self.count(plaintext.len())?;
        self.aead.encrypt(plaintext, associated_data)
    }

    fn decrypt(&self, ciphertext: &[u8], associated_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        self.aead.decrypt(ciphertext, associated_data)
    }

    fn encrypt_into(
        &self,
        plaintext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.count(plaintext.len())?;
        self.aead.encrypt_into(plaintext, associated_data, out)
    }

    fn decrypt_into(
        &self,
        ciphertext: &[u8],
        associated_data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecryptError> {
        self.aead.decrypt_into(ciphertext, associated_data, out)
    }

    fn encrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), EncryptError> {
        self.count(buffer.len())?;
        self.aead.encrypt_in_place(buffer, associated_data)
    }

    fn decrypt_in_place(
        &self,
        buffer: &mut Vec<u8>,
        associated_data: &[u8],
    ) -> Result<(), DecryptError> {
        self.aead.decrypt_in_place(buffer, associated_data)
    }
}

impl<A: Clone> Clone for LimitedAead<A> {
    fn clone(&self) -> Self {
        Self {
            aead: self.aead.clone(),
            meter: self.meter.clone(),
            on_soft_limit: self.on_soft_limit.clone(),
        }
    }
}

impl<A> fmt::Debug for LimitedAead<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedAead")
            .field("key_id", &self.meter.key_id)
            .field("usage", &self.usage())
            .field("limits", &self.meter.limits)
            .finish_non_exhaustive()
    }
}
