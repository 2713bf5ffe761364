//! Cases, as the driver asks for them.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;

/// One call, to be timed.
pub(crate) type Call = Box<dyn FnMut()>;

/// A call, or the reason why a subject has no such call.
pub(crate) type Prepared = Result<Call, String>;

pub(crate) const DATA: &[u8] = &[7; 16];

pub(crate) struct Case {
    pub(crate) subject: String,
    /// `aead`, `daead`, `mac`, `prf`, `stream`, `make`, `load`, `create`, `envelope` or `derive`.
    pub(crate) what: String,
    pub(crate) template: String,
    /// `encrypt`, `decrypt`, `refuse`, `compute` or `verify`; the format, where a keyset is loaded.
    pub(crate) direction: String,
    /// Bytes of a message.
    pub(crate) size: usize,
    pub(crate) threads: usize,
    /// A binary keyset in cleartext.
    pub(crate) keyset: Vec<u8>,
    /// A keyset of one key, which is in `keyset` too and is not the primary key there.
    pub(crate) writer: Option<Vec<u8>>,
}

impl Case {
    pub(crate) fn read(request: &Value) -> Result<Self, String> {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str, absent| {
            request[name]
                .as_u64()
                .map_or(absent, |number| usize::try_from(number).unwrap_or(absent))
        };
        let bytes = |name: &str| BASE64.decode(text(name)).map_err(|error| error.to_string());
        let writer = bytes("writer")?;
        Ok(Self {
            subject: text("subject"),
            what: text("what"),
            template: text("template"),
            direction: text("direction"),
            size: number("size", 0),
            threads: number("threads", 1),
            keyset: bytes("keyset")?,
            writer: (!writer.is_empty()).then_some(writer),
        })
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        vec![0x5a; self.size]
    }
}

/// Why a subject has no such case.
pub(crate) fn hole<T>() -> Result<T, String> {
    Err("it has none".to_owned())
}

pub(crate) fn said(error: impl ToString) -> String {
    error.to_string()
}
