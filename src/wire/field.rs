//! The fields of messages, which [`decode`](super::decode) checks the input against.

use prost::encoding::WireType;

/// One field of a message, as its `.proto` file declares it.
#[allow(missing_debug_implementations, reason = "no caller sees it")]
#[allow(
    unreachable_pub,
    reason = "a bound of a sealed trait; Rust 1.89 does not see that"
)]
pub struct Field {
    pub(crate) number: u32,
    pub(crate) wire_type: WireType,
    pub(crate) nested: Option<&'static [Self]>,
    pub(crate) repeated: bool,
}

/// The fields of a message, in the order of the file.
#[allow(
    unreachable_pub,
    reason = "a bound of a sealed trait; Rust 1.89 does not see that"
)]
pub trait Fields {
    const FIELDS: &'static [Field];

    /// Makes room for the elements of its lists, each of which has at most so many.
    fn reserve(&mut self, _elements: usize) {}
}
