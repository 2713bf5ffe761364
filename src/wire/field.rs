//! The fields of messages, which [`decode`](super::decode) checks the input against.

use prost::encoding::WireType;

/// One field of a message, as its `.proto` file declares it.
#[allow(missing_debug_implementations, reason = "no caller sees it")]
pub struct Field {
    pub(crate) number: u32,
    pub(crate) wire_type: WireType,
    pub(crate) nested: Option<&'static [Self]>,
    pub(crate) repeated: bool,
}

/// The fields of a message, in the order of the file.
pub trait Fields {
    const FIELDS: &'static [Field];
}
