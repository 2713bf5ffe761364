//! Output prefix types as numbers of the wire.

use super::proto::OutputPrefixType;
use crate::prefix::Variant;

impl Variant {
    /// Reads the prefix type of a symmetric key.
    pub(crate) fn from_proto(prefix: i32) -> Option<Self> {
        match OutputPrefixType::try_from(prefix) {
            Ok(OutputPrefixType::Crunchy) => Some(Self::Crunchy),
            Ok(OutputPrefixType::Legacy) => Some(Self::Legacy),
            Ok(OutputPrefixType::Raw) => Some(Self::Raw),
            Ok(OutputPrefixType::Tink) => Some(Self::Tink),
            _ => None,
        }
    }

    /// Reads the prefix type of a key that may be of an unknown type.
    pub(crate) fn of_any_key(prefix: i32) -> Option<Self> {
        match OutputPrefixType::try_from(prefix) {
            Ok(OutputPrefixType::WithIdRequirement) => Some(Self::WithIdRequirement),
            _ => Self::from_proto(prefix),
        }
    }

    pub(crate) const fn to_proto(self) -> OutputPrefixType {
        match self {
            Self::Crunchy => OutputPrefixType::Crunchy,
            Self::Legacy => OutputPrefixType::Legacy,
            Self::Raw => OutputPrefixType::Raw,
            Self::Tink => OutputPrefixType::Tink,
            Self::WithIdRequirement => OutputPrefixType::WithIdRequirement,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_types_survive_the_wire_and_others_are_refused() {
        for variant in Variant::ALL {
            assert_eq!(
                Variant::from_proto(variant.to_proto().into()),
                Some(variant)
            );
        }
        for refused in [-1, 0, 5, 6, i32::MAX] {
            assert_eq!(Variant::from_proto(refused), None);
        }
        // Of a key whose type is not known here.
        assert_eq!(Variant::of_any_key(5), Some(Variant::WithIdRequirement));
        assert_eq!(Variant::WithIdRequirement.to_proto() as i32, 5);
        for refused in [-1, 0, 6, i32::MAX] {
            assert_eq!(Variant::of_any_key(refused), None);
        }
    }
}
