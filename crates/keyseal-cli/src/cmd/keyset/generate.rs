//! New keys of a template.

use std::error::Error;

use keyseal::{Key, KeyTypes, KeysetHandle};

use crate::{
    args::VariantName,
    error::{Failure, chain},
    exit::Exit,
    keyset_failure::unknown_template,
};

/// Generates a key from the named template, with another prefix if one is given.
pub(crate) fn generate(template: &str, variant: Option<VariantName>) -> Result<Key, Failure> {
    let types = KeyTypes::default();
    let known = types
        .template(template)
        .map_err(|_| unknown_template(template))?;
    let mut wanted = known.key_template().clone();
    if let Some(variant) = variant {
        wanted = wanted.with_variant(variant.variant());
    }
    types
        .generate_from(&wanted)
        .map_err(|error| not_generated(template, &error))
}

/// Makes a keyset of one new key.
pub(crate) fn generate_keyset(
    template: &str,
    variant: Option<VariantName>,
) -> Result<KeysetHandle, Failure> {
    let key = generate(template, variant)?;
    KeysetHandle::new(key).map_err(|error| not_generated(template, &error))
}

fn not_generated(template: &str, error: &dyn Error) -> Failure {
    let what = format!("cannot generate a key of template {template}");
    Failure::new(Exit::Failed, "not_generated", what, chain(error))
}
