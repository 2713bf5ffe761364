//! Keyset references: values without secrets that name a keyset, and may travel in a plan.

/// Starts a keyset that a KMS wraps: `u16be(length of the URI) ‖ URI ‖ wrapped keyset` follow.
const CHAIN: &[u8] = b"keyseal chain 1\0";
/// Starts a keyset of the key ring: its name follows.
const NAME: &[u8] = b"keyseal name 1\0";

/// A parsed reference. A Tink keyset starts with the byte 8, so the two cannot be confused.
pub(crate) enum Reference<'a> {
    Chain { uri: &'a str, wrapped: &'a [u8] },
    Name(&'a str),
}

impl<'a> Reference<'a> {
    /// Parses a keyset argument. `None` says that it is not a reference.
    pub(crate) fn parse(argument: &'a [u8]) -> Option<Result<Self, &'static str>> {
        if let Some(chain) = argument.strip_prefix(CHAIN) {
            return Some(parse_chain(chain).ok_or("the keyset reference is malformed"));
        }
        let name = argument.strip_prefix(NAME)?;
        Some(
            std::str::from_utf8(name)
                .map(Self::Name)
                .map_err(|_| "the keyset reference is malformed"),
        )
    }
}

fn parse_chain(chain: &[u8]) -> Option<Reference<'_>> {
    let (length, rest) = chain.split_first_chunk::<2>()?;
    let (uri, wrapped) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let uri = std::str::from_utf8(uri).ok()?;
    Some(Reference::Chain { uri, wrapped })
}

/// Appends the reference of a wrapped keyset, or returns `None` if the URI is longer than 65,535
/// bytes.
pub(crate) fn write_chain(uri: &[u8], wrapped: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let length = u16::try_from(uri.len()).ok()?;
    for part in [CHAIN, &length.to_be_bytes(), uri, wrapped] {
        out.extend_from_slice(part);
    }
    Some(())
}

/// Appends the reference of a named keyset.
pub(crate) fn write_name(name: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(NAME);
    out.extend_from_slice(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_comes_back() {
        let mut bytes = Vec::new();
        write_chain(b"file-kms://k", b"wrapped", &mut bytes).unwrap();
        let Some(Ok(Reference::Chain { uri, wrapped })) = Reference::parse(&bytes) else {
            panic!("not a chain");
        };
        assert_eq!((uri, wrapped), ("file-kms://k", &b"wrapped"[..]));
        for end in CHAIN.len()..CHAIN.len() + 2 + uri.len() {
            assert!(matches!(Reference::parse(&bytes[..end]), Some(Err(_))));
        }
    }

    #[test]
    fn a_keyset_is_not_a_reference() {
        assert!(Reference::parse(&[8, 1, 18]).is_none());
        assert!(Reference::parse(b"").is_none());
        assert!(Reference::parse(&CHAIN[..CHAIN.len() - 1]).is_none());
    }

    #[test]
    fn a_uri_longer_than_its_length_field_is_refused() {
        assert!(write_chain(&[b'a'; 65_536], b"", &mut Vec::new()).is_none());
    }
}
