//! New keys of a template.

use std::error::Error;

use clap::ValueEnum as _;
use keyseal::{Key, KeyError, KeyTypes, KeysetHandle, error_chain, key::KeyTemplate};

use crate::{args::VariantName, error::Failure, exit::Exit, keyset_failure::unknown_template};

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
        .map_err(|error| with_variants(not_generated(template, &error), &error, &wanted))
}

/// Adds which prefix types the keys of a template can have, if the chosen one was refused.
pub(super) fn with_variants(failure: Failure, error: &KeyError, template: &KeyTemplate) -> Failure {
    if !matches!(error, KeyError::Variant { .. }) {
        return failure;
    }
    // The type knows, and tells only by making a key or refusing.
    let is_allowed = |name: &VariantName| {
        let wanted = template.clone().with_variant(name.variant());
        KeyTypes::default().generate_from(&wanted).is_ok()
    };
    let names: Vec<String> = VariantName::value_variants()
        .iter()
        .filter(|name| is_allowed(name))
        .filter_map(|name| Some(name.to_possible_value()?.get_name().to_owned()))
        .collect();
    match names.is_empty() {
        true => failure,
        false => failure.hint(format!("--variant can be {}", names.join(" or "))),
    }
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
    Failure::new(Exit::Failed, "not_generated", what, error_chain(error))
}
