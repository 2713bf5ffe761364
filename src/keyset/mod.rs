//! Keysets: keys with ids and states, one of them primary.

mod edit;
mod format;
mod handle;
mod info;
mod lint;
mod notation;
mod text_form;

pub use crate::text_form::TextForm;
pub use format::KeysetReader;
pub use handle::{Entry, KeysetHandle, Primitive, Status};
use handle::{KeysetKey, Remains, State};
pub use info::{KeyInfo, KeysetFile, KeysetInfo, Protection};
pub use lint::{Finding, Severity, lint, lint_encrypted};
pub use notation::Format;
