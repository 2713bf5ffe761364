//! JSON text, token by token, into messages whose members are known beforehand.

use std::str::FromStr;

use super::text::Text;
use crate::error::ParseError;

/// A member that an object may have, and how to read its value.
pub(super) struct Member<M> {
    /// In camel case and in snake case. Writers use the first; readers must take both.
    names: [&'static str; 2],
    read: fn(&mut Reader<'_>, &mut M) -> Result<(), ParseError>,
}

pub(super) const fn member<M>(
    camel_case: &'static str,
    snake_case: &'static str,
    read: fn(&mut Reader<'_>, &mut M) -> Result<(), ParseError>,
) -> Member<M> {
    Member {
        names: [camel_case, snake_case],
        read,
    }
}

/// Which members an object had.
pub(super) struct Given<M: 'static> {
    members: &'static [Member<M>],
    /// Bit n is for the member n.
    bits: u8,
}

impl<M> Given<M> {
    pub(super) fn contains(&self, name: &str) -> bool {
        let mut members = self.members.iter().enumerate();
        members.any(|(n, member)| member.names[0] == name && self.bits & 1 << n != 0)
    }
}

/// A place in a text. Every method that reads a value stands at its first byte.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads one object, and nothing after it, into `message`.
    pub(super) fn read<M>(
        json: &'a [u8],
        members: &'static [Member<M>],
        message: &mut M,
    ) -> Result<(), ParseError> {
        let text = str::from_utf8(json)
            .map_err(|error| ParseError::new("text that is not UTF-8", error.valid_up_to()))?;
        if text.starts_with('\u{feff}') {
            return Err(ParseError::new("a byte order mark", 0));
        }
        let mut reader = Self { text, at: 0 };
        reader.skip_whitespace();
        reader.object(members, message)?;
        reader.skip_whitespace();
        if reader.peek().is_some() {
            return Err(reader.error("text after the end of the keyset"));
        }
        Ok(())
    }

    /// Reads an object's members into `message`. Each may stand once, under either of its names.
    pub(super) fn object<M>(
        &mut self,
        members: &'static [Member<M>],
        message: &mut M,
    ) -> Result<Given<M>, ParseError> {
        let mut given = Given { members, bits: 0 };
        self.open(b'{', "expected an object")?;
        let mut more = !self.close(b'}');
        while more {
            let name_at = self.at;
            let name = self.string()?;
            let (n, member) = members
                .iter()
                .enumerate()
                .find(|(_, member)| member.names.contains(&&*name))
                .ok_or_else(|| ParseError::new("an unknown member", name_at))?;
            if given.bits & 1 << n != 0 {
                return Err(ParseError::new("a second member of the same name", name_at));
            }
            given.bits |= 1 << n;
            self.skip_whitespace();
            self.open(b':', "expected a colon")?;
            self.skip_whitespace();
            (member.read)(self, message)?;
            more = self.comma_or_close(b'}')?;
        }
        Ok(given)
    }

    /// Reads an array, each element with `element`.
    pub(super) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        self.open(b'[', "expected an array")?;
        let mut more = !self.close(b']');
        while more {
            element(self)?;
            more = self.comma_or_close(b']')?;
        }
        Ok(())
    }

    /// Reads `null` if it stands here.
    pub(super) fn null(&mut self) -> bool {
        let null = self.rest().starts_with("null");
        if null {
            self.at += 4;
        }
        null
    }

    /// Reads a string: a slice of the input if it has no escapes.
    pub(super) fn string(&mut self) -> Result<Text<'a>, ParseError> {
        self.open(b'"', "expected a string")?;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                // Past what is escaped too: it may be a quotation mark.
                Some(b'\\') => self.at = self.text.len().min(self.at + 2),
                Some(0..b' ') => return Err(self.error("a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("")),
            }
        }
        // Both ends are beside a quotation mark, so they are between characters.
        let raw = &self.text[start..self.at];
        self.at += 1;
        Text::new(raw, start)
    }

    pub(super) fn at_string(&self) -> bool {
        self.peek() == Some(b'"')
    }

    /// Reads an integer that is written as digits alone, with neither point nor exponent.
    pub(super) fn integer<T: FromStr>(&mut self, expected: &'static str) -> Result<T, ParseError> {
        let error = self.error(expected);
        let rest = self.rest();
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        let number = rest.split_at(end.unwrap_or(rest.len())).0;
        self.at += number.len();
        let digits = number.strip_prefix('-').unwrap_or(number);
        // `parse` would take a plus sign and leading zeros.
        let plain = digits == "0" || digits.starts_with(|first: char| matches!(first, '1'..='9'));
        number.parse().ok().filter(|_| plain).ok_or(error)
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Makes an error that names this place: `reason`, unless the text has ended.
    pub(super) fn error(&self, reason: &'static str) -> ParseError {
        let ended = self.at >= self.text.len();
        ParseError::new(
            if ended {
                "the text ends too soon"
            } else {
                reason
            },
            self.at,
        )
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn open(&mut self, byte: u8, expected: &'static str) -> Result<(), ParseError> {
        if self.peek() != Some(byte) {
            return Err(self.error(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a closing bracket if it is next.
    fn close(&mut self, bracket: u8) -> bool {
        self.skip_whitespace();
        let closes = self.peek() == Some(bracket);
        if closes {
            self.at += 1;
        }
        closes
    }

    /// Reads what follows a value, and returns whether it promises another.
    fn comma_or_close(&mut self, bracket: u8) -> Result<bool, ParseError> {
        if self.close(bracket) {
            return Ok(false);
        }
        self.open(b',', "expected a comma or a closing bracket")?;
        self.skip_whitespace();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object with a string, an integer and an array of integers.
    #[derive(Default)]
    struct Message {
        text: String,
        integer: i32,
        array: Vec<u32>,
    }

    const MESSAGE: &[Member<Message>] = &[
        member("text", "text", |reader, message| {
            message.text = reader.string()?.to_owned();
            Ok(())
        }),
        member("anInteger", "an_integer", |reader, message| {
            message.integer = reader.integer("expected an i32")?;
            Ok(())
        }),
        member("array", "array", |reader, message| {
            reader.array(|reader| {
                message.array.push(reader.integer("expected an u32")?);
                Ok(())
            })
        }),
    ];

    fn read(json: impl AsRef<[u8]>) -> Result<Message, String> {
        let mut message = Message::default();
        match Reader::read(json.as_ref(), MESSAGE, &mut message) {
            Ok(()) => Ok(message),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn integers_are_digits_alone() {
        let cases = [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-1", Some(-1)),
            ("10", Some(10)),
            ("2147483647", Some(i32::MAX)),
            ("-2147483648", Some(i32::MIN)),
            ("2147483648", None),
            ("99999999999999999999999", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("+1", None),
            ("01", None),
            ("-01", None),
            ("00", None),
            ("1.0", None),
            ("1.", None),
            (".1", None),
            ("1e0", None),
            ("1E1000", None),
            ("0x1", None),
            ("1 0", None),
            ("1_0", None),
            ("١", None),
            ("NaN", None),
            ("Infinity", None),
            ("\"1\"", None),
            ("true", None),
            ("null", None),
        ];
        for (json, integer) in cases {
            let read = read(format!(r#"{{"anInteger":{json}}}"#));
            assert_eq!(read.ok().map(|message| message.integer), integer, "{json}");
        }
    }

    #[test]
    fn whitespace_may_stand_between_all_tokens() {
        let tokens = [
            "",
            "{",
            "\"text\"",
            ":",
            "\"\"",
            ",",
            "\"array\"",
            ":",
            "[",
            "1",
            ",",
            "2",
        ];
        let json = [&tokens[..], &["]", "}", ""]].concat().join(" \t\r\n");
        assert_eq!(read(json).unwrap().array, [1, 2]);
        for space in ["\u{b}", "\u{c}", "\u{a0}", "\u{2028}", "\0"] {
            assert!(read(format!("{space}{{}}")).is_err(), "{space:?}");
        }
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused() {
        for bytes in [
            &b"\xff"[..],
            b"\x80",
            b"\xed\xa0\x80",
            b"\xc0\xaf",
            b"\xf4\x90\x80\x80",
        ] {
            let json = [b"{\"text\":\"", bytes, b"\"}"].concat();
            let error = "text that is not UTF-8 at byte 9";
            assert_eq!(
                read(json).err().as_deref(),
                Some(error),
                "{}",
                bytes.escape_ascii()
            );
        }
        assert_eq!(read("{\"text\":\"\u{7f}é\"}").unwrap().text, "\u{7f}é");
    }

    #[test]
    fn structure_is_checked() {
        let cases = [
            ("", "the text ends too soon at byte 0"),
            (" ", "the text ends too soon at byte 1"),
            ("[]", "expected an object at byte 0"),
            ("null", "expected an object at byte 0"),
            ("\"\"", "expected an object at byte 0"),
            ("\u{feff}{}", "a byte order mark at byte 0"),
            ("{}\u{feff}", "text after the end of the keyset at byte 2"),
            ("{} {}", "text after the end of the keyset at byte 3"),
            ("{}\0", "text after the end of the keyset at byte 2"),
            ("{", "the text ends too soon at byte 1"),
            ("{]", "expected a string at byte 1"),
            ("{,}", "expected a string at byte 1"),
            ("{text:\"\"}", "expected a string at byte 1"),
            ("{'text':\"\"}", "expected a string at byte 1"),
            ("{/**/}", "expected a string at byte 1"),
            (r#"{"text"}"#, "expected a colon at byte 7"),
            (r#"{"text" "#, "the text ends too soon at byte 8"),
            (r#"{"text":}"#, "expected a string at byte 8"),
            (r#"{"text":'a'}"#, "expected a string at byte 8"),
            (r#"{"text":null}"#, "expected a string at byte 8"),
            (
                r#"{"text":""]"#,
                "expected a comma or a closing bracket at byte 10",
            ),
            (
                r#"{"text":"" "array":[]}"#,
                "expected a comma or a closing bracket at byte 11",
            ),
            (r#"{"text":"",}"#, "expected a string at byte 11"),
            (r#"{"text":"\"}"#, "the text ends too soon at byte 12"),
            (r#"{"text":"\"#, "the text ends too soon at byte 10"),
            (r#"{"Text":""}"#, "an unknown member at byte 1"),
            (r#"{"":""}"#, "an unknown member at byte 1"),
            (r#"{"a_n_integer":1}"#, "an unknown member at byte 1"),
            (
                r#"{"text":"","text":""}"#,
                "a second member of the same name at byte 11",
            ),
            (
                r#"{"anInteger":1,"an_integer":1}"#,
                "a second member of the same name at byte 15",
            ),
            (
                r#"{"anInteger":1,"\u0061nInteger":1}"#,
                "a second member of the same name at byte 15",
            ),
            (r#"{"array":{}}"#, "expected an array at byte 9"),
            (r#"{"array":[1,]}"#, "expected an u32 at byte 12"),
            (r#"{"array":[,]}"#, "expected an u32 at byte 10"),
            (r#"{"array":[-0]}"#, "expected an u32 at byte 10"),
            (
                r#"{"array":[1}"#,
                "expected a comma or a closing bracket at byte 11",
            ),
            (
                r#"{"array":[1 1]}"#,
                "expected a comma or a closing bracket at byte 12",
            ),
            (
                "{\"text\":\"\0\"}",
                "a control character in a string at byte 9",
            ),
            (
                "{\"te\nxt\":\"\"}",
                "a control character in a string at byte 4",
            ),
            (
                "{\"text\":\"a\x1f\"}",
                "a control character in a string at byte 10",
            ),
            (
                r#"{"text":"\ud800"}"#,
                "an escape that is no character at byte 9",
            ),
            (r#"{"array":["#, "the text ends too soon at byte 10"),
        ];
        for (json, error) in cases {
            assert_eq!(read(json).err().as_deref(), Some(error), "{json}");
        }
    }
}
