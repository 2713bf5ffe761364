//! Key Manager's requests and answers, as pure functions.
//!
//! # Source
//! Scaleway's Key Manager API, `v1alpha1`.

pub(crate) mod crypto;
pub(crate) mod error;
pub(crate) mod key;

use serde::Deserialize;

use crate::kms::client::HttpResponse;

/// The reason why an answer is rejected.
pub(crate) type Unbelievable = &'static str;

/// Parses the body of a successful answer.
pub(crate) fn parse<'a, T: Deserialize<'a>>(response: &'a HttpResponse) -> Result<T, Unbelievable> {
    if !response.is_json() {
        return Err("its content type is not JSON");
    }
    // The library's error repeats the input, which may be a plaintext.
    serde_json::from_slice(response.body()).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => "its JSON is cut short",
        serde_json::error::Category::Data => "its JSON has other fields than documented",
        _ => "it is not JSON",
    })
}
