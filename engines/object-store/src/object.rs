//! [`StoredObject`]: one version of an object, ready to be read.

use std::ops::Range;

use bytes::Bytes;
use keyseal::streaming::{SegmentOpener, StreamMap};
use object_store::{Attributes, GetResult, ObjectMeta};

/// One version of an object, and its key.
pub(crate) struct StoredObject {
    /// As the wrapped store says it: the size is the stored one.
    pub(crate) meta: ObjectMeta,
    pub(crate) attributes: Attributes,
    /// `None` if the object is not sealed, and the store passes such objects through.
    pub(crate) sealed: Option<Sealed>,
}

pub(crate) struct Sealed {
    /// The bytes before the stream.
    pub(crate) header_size: u64,
    pub(crate) opener: SegmentOpener,
}

impl Sealed {
    pub(crate) const fn map(&self) -> &StreamMap {
        self.opener.map()
    }

    /// Where in the object some bytes of the stream are.
    pub(crate) const fn stored(&self, stream: &Range<u64>) -> Range<u64> {
        stream.start + self.header_size..stream.end + self.header_size
    }
}

impl StoredObject {
    /// Returns whether an answer of the wrapped store is about this version.
    pub(crate) fn is_of(&self, meta: &ObjectMeta) -> bool {
        self.meta.size == meta.size && self.meta.e_tag == meta.e_tag
    }

    /// Returns the size of the plaintext.
    pub(crate) fn plaintext_size(&self) -> u64 {
        match &self.sealed {
            Some(sealed) => sealed.map().plaintext_size(),
            None => self.meta.size,
        }
    }
}

/// The first bytes of an object, and its metadata in the wrapped store.
pub(crate) struct Start {
    pub(crate) meta: ObjectMeta,
    pub(crate) attributes: Attributes,
    pub(crate) bytes: Bytes,
}

/// Makes the answer to a `get`: the one place that builds this struct, which has more fields in
/// other versions of its crate.
pub(crate) fn get_result(
    meta: ObjectMeta,
    attributes: Attributes,
    range: Range<u64>,
    payload: object_store::GetResultPayload,
) -> GetResult {
    GetResult {
        payload,
        meta,
        range,
        attributes,
    }
}
