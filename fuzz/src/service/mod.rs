//! The laws of Key Manager's client.

pub mod config_file;
pub mod key_uri;
pub mod kms_answer;
pub mod still_clock;

use super::{input::Input, laws::keys};
