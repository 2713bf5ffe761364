//! The MAC of one key: an output prefix, then a tag.

use subtle::ConstantTimeEq as _;

use super::{Key, KeyId, KeyKind, OutputPrefix, Prefixed, RawPrimitive, Variant};
use crate::{
    cipher::{Provider, RawMac, RunningMac},
    error::KeyError,
};

/// Makes and checks `prefix(0|5) ‖ tag`.
pub(crate) struct PrefixedMac {
    prefix: OutputPrefix,
    /// Stands after each message: a zero byte for a `LEGACY` key, else nothing.
    suffix: &'static [u8],
    mac: Box<dyn RawMac>,
}

impl Key {
    /// Returns the MAC that this key is for.
    pub(crate) fn mac(
        &self,
        id: KeyId,
        provider: Provider,
    ) -> Option<Result<PrefixedMac, KeyError>> {
        let variant = self.variant();
        self.primitive(KeyKind::Mac, provider, |primitive| match primitive {
            RawPrimitive::Mac(mac) => Some(PrefixedMac::new(variant.prefix(id), variant, mac)),
            _ => None,
        })
    }
}

impl PrefixedMac {
    const fn new(prefix: OutputPrefix, variant: Variant, mac: Box<dyn RawMac>) -> Self {
        let suffix: &[u8] = match variant {
            Variant::Legacy => &[0],
            _ => &[],
        };
        Self {
            prefix,
            suffix,
            mac,
        }
    }

    pub(crate) fn compute(&self, data: &[u8]) -> Vec<u8> {
        prefixed_tag(self.prefix, self.mac.tag_len(), |tag| {
            self.mac.compute(&[data, self.suffix], tag);
        })
    }

    /// Returns whether `tag` is the whole tag of `data`.
    pub(crate) fn verify(&self, tag: &[u8], data: &[u8]) -> bool {
        // A length says nothing of the key; only a tag of the right one is worth computing.
        tag.len() == self.tag_len() && self.compute(data).ct_eq(tag).into()
    }

    /// Starts on a message that comes in pieces.
    pub(crate) fn start(&self) -> RunningPrefixedMac {
        RunningPrefixedMac {
            prefix: self.prefix,
            suffix: self.suffix,
            tag_len: self.mac.tag_len(),
            running: self.mac.start(),
        }
    }

    /// Returns the bytes of a tag, prefix included.
    pub(crate) fn tag_len(&self) -> usize {
        self.prefix.as_bytes().len() + self.mac.tag_len()
    }
}

impl Prefixed for PrefixedMac {
    fn prefix(&self) -> OutputPrefix {
        self.prefix
    }
}

/// The MAC of one key over the part of a message read so far.
pub(crate) struct RunningPrefixedMac {
    prefix: OutputPrefix,
    suffix: &'static [u8],
    tag_len: usize,
    running: Box<dyn RunningMac>,
}

impl RunningPrefixedMac {
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.running.update(data);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.running.update(self.suffix);
        prefixed_tag(self.prefix, self.tag_len, |tag| self.running.tag(tag))
    }

    /// Returns whether `tag` is the whole tag of the input so far.
    pub(crate) fn verify(self, tag: &[u8]) -> bool {
        self.finish().ct_eq(tag).into()
    }
}

fn prefixed_tag(prefix: OutputPrefix, tag_len: usize, write: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let prefix = prefix.as_bytes();
    let mut output = vec![0; prefix.len() + tag_len];
    let (head, tag) = output.split_at_mut(prefix.len());
    head.copy_from_slice(prefix);
    write(tag);
    output
}
