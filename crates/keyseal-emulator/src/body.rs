//! Reads request bodies and queries as leniently as the service's JSON gateway does.
//!
//! The content type is ignored, an empty body is `{}`, unknown members are ignored, `null` is the
//! same as absent, and base64 may use either alphabet, padded or not.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::errors::ApiError;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The members of a JSON object. Strings are wiped on drop, because one may be a plaintext.
#[derive(Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(mut other) => {
                wipe(&mut other);
                Err(ApiError::format("body", "must be a JSON object"))
            }
            Err(_) => Err(ApiError::format("body", "must be JSON")),
        }
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::format(name, "must be a string")),
        }
    }

    /// Reads an enum value. Clients send an `unknown_…` value for an absent one.
    pub(super) fn choice(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        Ok(self
            .text(name)?
            .filter(|value| !value.is_empty() && !value.starts_with("unknown_")))
    }

    pub(super) fn boolean(&self, name: &'static str) -> Result<bool, ApiError> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(ApiError::format(name, "must be a boolean")),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<u32>, ApiError> {
        let wrong = || ApiError::format(name, "must be an unsigned integer of 32 bits");
        match self.value(name) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                let number = number.as_u64().and_then(|number| number.try_into().ok());
                number.map(Some).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    }

    pub(super) fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, ApiError> {
        let wrong = || ApiError::format(name, "must be an array of strings");
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(values)) => {
                let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(Some).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    }

    pub(super) fn object(&self, name: &'static str) -> Result<Option<Self>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self(members.clone()))),
            Some(_) => Err(ApiError::format(name, "must be an object")),
        }
    }

    pub(super) fn bytes(&self, name: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let engine = if text.contains(['-', '_']) {
            URL_SAFE
        } else {
            STANDARD
        };
        // Size it first: a buffer that grows would leave secrets behind.
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
        let length = engine
            .decode_slice(text, &mut bytes)
            .map_err(|_| ApiError::format(name, "must be base64"))?;
        bytes.truncate(length);
        Ok(Some(bytes))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The pairs of a query, decoded.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, ApiError> {
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((percent_decoded(name)?, percent_decoded(value)?))
            });
        let pairs = pairs.collect::<Option<_>>();
        pairs
            .map(Self)
            .ok_or(ApiError::format("query", "must be percent-encoded UTF-8"))
    }

    /// Returns the first value of this name that is not empty.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns every value of this name that is not empty.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self
            .0
            .iter()
            .filter(move |(other, value)| other == name && !value.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    /// Reads an enum value; `unknown_…` is the same as absent.
    pub(super) fn choice(&self, name: &str) -> Option<&str> {
        self.first(name)
            .filter(|value| !value.starts_with("unknown_"))
    }

    /// Reads a boolean in any case: Python writes `False`.
    pub(super) fn boolean(&self, name: &'static str) -> Result<Option<bool>, ApiError> {
        match self.first(name) {
            None => Ok(None),
            Some(value) if value.eq_ignore_ascii_case("true") || value == "1" => Ok(Some(true)),
            Some(value) if value.eq_ignore_ascii_case("false") || value == "0" => Ok(Some(false)),
            Some(_) => Err(ApiError::format(name, "must be a boolean")),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<u32>, ApiError> {
        let number = self.first(name).map(str::parse).transpose();
        number.map_err(|_| ApiError::format(name, "must be an unsigned integer of 32 bits"))
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    // The decoder would leave an escape without two digits as it is.
    let mut escapes = text.split('%').skip(1).map(str::as_bytes);
    let is_well_formed = escapes.all(|escape| {
        matches!(escape, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    });
    let text = is_well_formed.then(|| text.replace('+', " "))?;
    Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_in_both_alphabets_with_and_without_padding() {
        for text in ["+/8=", "-_8=", "+/8", "-_8"] {
            let fields = Fields::parse(format!(r#"{{"b":"{text}"}}"#).as_bytes())
                .ok()
                .unwrap();
            assert_eq!(
                fields.bytes("b").unwrap().unwrap().as_slice(),
                [0xfb, 0xff],
                "{text}"
            );
        }
        for text in ["+_8=", "A", "A*==", "AA=A", "AAAA=A"] {
            let fields = Fields::parse(format!(r#"{{"b":"{text}"}}"#).as_bytes())
                .ok()
                .unwrap();
            let error = fields.bytes("b").unwrap_err();
            assert_eq!(error, ApiError::format("b", "must be base64"), "{text}");
        }
    }

    #[test]
    fn null_and_absent_members_are_the_same() {
        for body in ["", " \r\n", "{}", r#"{"a":null,"b":{}}"#] {
            let fields = Fields::parse(body.as_bytes()).ok().unwrap();
            assert_eq!(fields.text("a"), Ok(None));
            assert_eq!(fields.bytes("a"), Ok(None));
            assert_eq!(fields.boolean("a"), Ok(false));
            assert_eq!(fields.texts("a"), Ok(None));
            assert_eq!(fields.number("a"), Ok(None));
            assert!(fields.object("a").is_ok_and(|object| object.is_none()));
        }
    }

    #[test]
    fn members_of_the_wrong_type_are_named() {
        let body = br#"{"a":{},"b":[1],"c":-1,"d":"x"}"#;
        let fields = Fields::parse(body).ok().unwrap();
        assert_eq!(
            fields.text("a"),
            Err(ApiError::format("a", "must be a string"))
        );
        assert_eq!(
            fields.texts("b"),
            Err(ApiError::format("b", "must be an array of strings"))
        );
        assert!(fields.number("c").is_err());
        assert_eq!(
            fields.boolean("d"),
            Err(ApiError::format("d", "must be a boolean"))
        );
        assert!(Fields::parse(b"[]").is_err());
        assert!(Fields::parse(b"{").is_err());
        assert!(Fields::parse(b"\xff").is_err());
    }

    #[test]
    fn queries_are_decoded_and_booleans_may_be_capitalized() {
        let query = Query::parse("tags=a&tags=b%20c+d&flag=False&page=&u=unknown_usage&n=%C3%A9");
        let query = query.ok().unwrap();
        assert_eq!(query.all("tags").collect::<Vec<_>>(), ["a", "b c d"]);
        assert_eq!(query.boolean("flag"), Ok(Some(false)));
        assert_eq!(query.number("page"), Ok(None));
        assert_eq!(query.choice("u"), None);
        assert_eq!(query.first("n"), Some("é"));
        assert!(Query::parse("a=%f").is_err());
        assert!(Query::parse("a=%ff").is_err());
    }
}
