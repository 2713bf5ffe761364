//! How secrets are written to the state file.

/// Writes `SecretBytes`, or their absence, as base64.
pub(crate) mod secret {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};
    use zeroize::Zeroizing;

    use crate::{random::ACCESS, reply::Base64};
    use keyseal::SecretBytes;

    pub(crate) fn serialize<S: Serializer>(
        secret: &Option<SecretBytes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret
            .as_ref()
            .map(|secret| Base64(secret.expose(ACCESS)))
            .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SecretBytes>, D::Error> {
        let Some(text) = <Option<&str>>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
        let length = BASE64_STANDARD
            .decode_slice(text, &mut bytes)
            .map_err(|_| D::Error::custom("not base64"))?;
        Ok(Some(SecretBytes::copy_from(
            bytes.get(..length).unwrap_or_default(),
            ACCESS,
        )))
    }
}

/// Writes a text that is wiped.
pub(crate) mod wiped {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(crate) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}
