//! The names of key types in SQL: BigQuery's, and the names of key templates.

use datafusion::{common::plan_err, error::Result};
use keyseal::{Key, KeyTypes, error_chain, key::KeyKind};

/// Returns the template of a key type for new keysets.
pub(crate) fn template(name: &str) -> Result<&'static str> {
    match name {
        "AEAD_AES_GCM_256" => return Ok("AES256_GCM"),
        "DETERMINISTIC_AEAD_AES_SIV_CMAC_256" => return Ok("AES256_SIV"),
        _ => (),
    }
    let usable = [KeyKind::Aead, KeyKind::DeterministicAead];
    match KeyTypes::default().template(name) {
        Ok(template) if usable.contains(&template.kind()) => Ok(template.name()),
        _ => plan_err!(
            "no key type is named {name:?}: use AEAD_AES_GCM_256, \
             DETERMINISTIC_AEAD_AES_SIV_CMAC_256, or the name of a template for AEAD or \
             deterministic AEAD, such as XCHACHA20_POLY1305"
        ),
    }
}

/// Checks the key type of raw bytes.
pub(crate) fn check_raw(name: &str) -> Result<()> {
    match name {
        "AES_GCM" => Ok(()),
        "AES_CBC_PKCS" => plan_err!("AES_CBC_PKCS is refused: it does not authenticate"),
        _ => plan_err!("no type of raw keys is named {name:?}: use AES_GCM"),
    }
}

/// Generates a key for a type that [`template`] accepts.
pub(crate) fn generate(name: &str) -> Result<Key, String> {
    let template = template(name).map_err(|error| error.strip_backtrace())?;
    Key::generate(template).map_err(|error| error_chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bigquery_and_template_names_are_known() {
        assert_eq!(template("AEAD_AES_GCM_256").unwrap(), "AES256_GCM");
        assert_eq!(
            template("DETERMINISTIC_AEAD_AES_SIV_CMAC_256").unwrap(),
            "AES256_SIV"
        );
        assert_eq!(template("AES128_EAX").unwrap(), "AES128_EAX");
        for other in ["", "aead_aes_gcm_256", "AES_CMAC", "AES256_GCM_HKDF_1MB"] {
            assert!(template(other).is_err(), "{other}");
        }
    }

    #[test]
    fn raw_keys_are_authenticated() {
        assert!(check_raw("AES_GCM").is_ok());
        let error = check_raw("AES_CBC_PKCS").unwrap_err().to_string();
        assert!(error.contains("does not authenticate"), "{error}");
        assert!(check_raw("AEAD_AES_GCM_256").is_err());
    }
}
