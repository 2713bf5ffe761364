//! JSON of the types that the service writes as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Seconds, Timestamp, Uuid};

/// Writes a type as its text, and reads it from text.
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

as_text!(Seconds, Timestamp, Uuid);
