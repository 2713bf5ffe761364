use super::proto;
use crate::error::ParseError;
use zeroize::Zeroizing;
pub(crate) fn read_keyset(_json: &[u8]) -> Result<proto::Keyset, ParseError> {
    Err(ParseError::new("", 0))
}
pub(crate) fn read_encrypted_keyset(_json: &[u8]) -> Result<proto::EncryptedKeyset, ParseError> {
    Err(ParseError::new("", 0))
}
pub(crate) fn write_keyset(_keyset: &proto::Keyset) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![])
}
pub(crate) fn write_encrypted_keyset(_keyset: &proto::EncryptedKeyset) -> Vec<u8> {
    vec![]
}
