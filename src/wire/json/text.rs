//! JSON strings, copied only where escapes make it necessary.

use std::ops::Deref;

use zeroize::Zeroizing;

use crate::error::ParseError;

/// The text of a string.
pub(crate) enum Text<'a> {
    Slice(&'a str),
    Copy(Zeroizing<String>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Slice(text) => text,
            Self::Copy(text) => text,
        }
    }
}

impl<'a> Text<'a> {
    /// Takes the text between the quotation marks, from byte `offset` of the input.
    pub(crate) fn new(raw: &'a str, offset: usize) -> Result<Self, ParseError> {
        if raw.contains('\\') {
            unescape(raw, offset).map(Self::Copy)
        } else {
            Ok(Self::Slice(raw))
        }
    }
}

/// Resolves the escapes of `raw`, which starts at byte `offset` of the input.
fn unescape(raw: &str, offset: usize) -> Result<Zeroizing<String>, ParseError> {
    // No escape is shorter than the character it encodes.
    let mut text = Zeroizing::new(String::with_capacity(raw.len()));
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let at = offset + raw.len() - escape.len() - 1;
        let mut chars = escape.chars();
        text.push(match chars.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (c, after) = utf16(chars.as_str())
                    .ok_or_else(|| ParseError::new("an invalid escape", at))?;
                chars = after.chars();
                c
            }
            _ => return Err(ParseError::new("an unknown escape", at)),
        });
        rest = chars.as_str();
    }
    text.push_str(rest);
    Ok(text)
}

/// Takes the four digits after `\u`, and a second such escape if they are half a surrogate pair.
fn utf16(escape: &str) -> Option<(char, &str)> {
    let (first, rest) = unit(escape)?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some((c, rest));
    }
    let (second, rest) = unit(rest.strip_prefix("\\u")?)?;
    let c = char::decode_utf16([first, second]).next()?.ok()?;
    Some((c, rest))
}

fn unit(digits: &str) -> Option<(u16, &str)> {
    let (digits, rest) = digits.split_at_checked(4)?;
    // `from_str_radix` would take a plus sign.
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16)
        .ok()
        .filter(|_| plain)
        .map(|unit| (unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved() {
        let cases = [
            ("", ""),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"a\u003db\u003D", "a=b="),
            (r"\u0000\u00e9\uffff", "\0é\u{ffff}"),
            (r"\ud83d\ude00\uD83D\uDE00", "😀😀"),
            (r"\\u0041", r"\u0041"),
            (r"é\/é", "é/é"),
        ];
        for (raw, text) in cases {
            assert_eq!(&*Text::new(raw, 0).ok().unwrap(), text, "{raw}");
        }
    }

    #[test]
    fn only_text_with_escapes_is_copied_and_its_buffer_never_grows() {
        let plain = "\u{7f}ünï\u{10ffff}";
        assert!(matches!(Text::new(plain, 0), Ok(Text::Slice(text)) if text == plain));
        let raw = r"é\uffff\n\ud83d\ude00".repeat(100);
        let Ok(Text::Copy(text)) = Text::new(&raw, 0) else {
            panic!("not copied")
        };
        assert_eq!(text.capacity(), raw.len());
    }

    #[test]
    fn escapes_that_are_no_character_are_refused() {
        let cases = [
            (r"\x41", "an unknown escape at byte 7"),
            (r"ab\U0041", "an unknown escape at byte 9"),
            (r"\n\", "an unknown escape at byte 9"),
            ("\\é", "an unknown escape at byte 7"),
            ("\\\n", "an unknown escape at byte 7"),
            (r"\'", "an unknown escape at byte 7"),
            (r"\u", "an invalid escape at byte 7"),
            (r"\u004", "an invalid escape at byte 7"),
            (r"\u+041", "an invalid escape at byte 7"),
            (r"\u00g1", "an invalid escape at byte 7"),
            (r"\u00é1", "an invalid escape at byte 7"),
            (r"\u000é", "an invalid escape at byte 7"),
            (r"ü\ud83d", "an invalid escape at byte 9"),
            (r"\ude00", "an invalid escape at byte 7"),
            (r"\ud83dx", "an invalid escape at byte 7"),
            (r"\ud83d\nde00", "an invalid escape at byte 7"),
            (r"\ud83dxude00", "an invalid escape at byte 7"),
            (r"\ud83d\n", "an invalid escape at byte 7"),
            (r"\ud83d\u004", "an invalid escape at byte 7"),
            (r"\ud83d\u0041", "an invalid escape at byte 7"),
            (r"\ud83d\ud83d", "an invalid escape at byte 7"),
            (r"\ude00\ud83d", "an invalid escape at byte 7"),
        ];
        for (raw, error) in cases {
            let refused = Text::new(raw, 7).err().map(|error| error.to_string());
            assert_eq!(refused.as_deref(), Some(error), "{raw}");
        }
    }
}
