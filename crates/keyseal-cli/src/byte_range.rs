//! A part of a plaintext, as HTTP names it.

use crate::error::Failure;

/// A part of a plaintext: `A-B` with both ends in it, `A-` up to the end, `-N` the last N bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteRange {
    From(u64, Option<u64>),
    Last(u64),
}

impl std::str::FromStr for ByteRange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a range is A-B (counted from 0, with both ends), A- or -N";
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().map_err(|_| WRONG),
            false => Err(WRONG),
        };
        match text.split_once('-').ok_or(WRONG)? {
            ("", last) => Ok(Self::Last(number(last)?)),
            (first, "") => Ok(Self::From(number(first)?, None)),
            (first, last) => match (number(first)?, number(last)?) {
                (first, last) if first <= last => Ok(Self::From(first, Some(last))),
                _ => Err("a range cannot end before it starts"),
            },
        }
    }
}

impl ByteRange {
    /// Returns start and end in the plaintext of a file, of this size, with the end clamped to it.
    pub(crate) fn within(self, size: u64, name: &str) -> Result<(u64, u64), Failure> {
        match self {
            Self::Last(count) => Ok((size.saturating_sub(count), size)),
            Self::From(first, last) if first < size || first == 0 => {
                let end = last.map_or(size, |last| size.min(last.saturating_add(1)));
                Ok((first, end))
            }
            Self::From(first, _) => Err(Failure::usage(
                "range",
                format!("cannot decrypt {name} from byte {first}"),
                format!("the plaintext has {size} bytes"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        let within = |text: &str, size| {
            let range: ByteRange = text.parse().ok()?;
            range.within(size, "file").ok()
        };
        for (text, expected) in [
            ("0-0", Some((0, 1))),
            ("2-4", Some((2, 5))),
            ("2-", Some((2, 10))),
            ("9-100", Some((9, 10))),
            ("-3", Some((7, 10))),
            ("-0", Some((10, 10))),
            ("-100", Some((0, 10))),
            ("10-", None),
            ("4-2", None),
            ("-", None),
            ("", None),
            ("5", None),
            ("+1-2", None),
            ("1--2", None),
            ("0x1-2", None),
            ("99999999999999999999-", None),
        ] {
            assert_eq!(within(text, 10), expected, "{text}");
        }
        assert_eq!(within("0-", 0), Some((0, 0)));
        assert_eq!(within("0-18446744073709551615", 5), Some((0, 5)));
    }
}
