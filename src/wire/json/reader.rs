//! JSON text, token by token, into messages whose members are known beforehand.
//!
//! One reader serves two purposes. To use a keyset, we read it strictly: the first fault ends it.
//! To lint a keyset, we read past each fault that leaves the rest legible, and report every fault.
//! So both always agree on whether there is one.

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

/// Something wrong or odd in a text that does not end its reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    // Refused where the text is read strictly.
    ByteOrderMark,
    TrailingComma,
    TextAfterEnd,
    UnknownMember,
    SecondMember,
    TwoKinds,
    /// Another kind of value than this.
    NotA(&'static str),
    Id,
    Enum,
    Base64,
    NoMaterialType,
    // Taken, and refused by some releases of Tink.
    SnakeCase,
    EnumNumber,
    IdForm,
    NoId,
    UrlSafe,
    Unpadded,
}

/// Takes a fault, the member that has it, and its offset in bytes.
pub(crate) type Report<'r> = &'r mut dyn FnMut(Fault, &str, usize);

/// A place in a text. Every method that reads a value expects to be at its first byte.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The member whose value is read.
    name: &'static str,
    /// Takes the faults, where the text is read past them.
    report: Option<Report<'a>>,
}

/// Values that nobody asked for nest no deeper than this. A keyset is four levels deep.
const MAX_DEPTH: usize = 16;

const MARK: char = '\u{feff}';

impl<'a> Reader<'a> {
    /// Reads one object, and nothing after it, into `message`.
    pub(super) fn read<M>(
        json: &'a [u8],
        members: &'static [Member<M>],
        message: &mut M,
        report: Option<Report<'a>>,
    ) -> Result<Given<M>, ParseError> {
        let text = str::from_utf8(json)
            .map_err(|error| ParseError::new("text that is not UTF-8", error.valid_up_to()))?;
        let mut reader = Self {
            text,
            at: 0,
            name: "keyset",
            report,
        };
        if text.starts_with(MARK) {
            reader.refuse(Fault::ByteOrderMark, "a byte order mark", 0)?;
            reader.at = MARK.len_utf8();
        }
        reader.skip_whitespace();
        let given = reader.object(members, message)?;
        reader.skip_whitespace();
        if reader.peek().is_some() {
            let at = reader.at;
            reader.refuse(Fault::TextAfterEnd, "text after the end of the keyset", at)?;
        }
        Ok(given)
    }

    /// Reads an object's members into `message`. Each may appear once, under either of its names.
    pub(super) fn object<M>(
        &mut self,
        members: &'static [Member<M>],
        message: &mut M,
    ) -> Result<Given<M>, ParseError> {
        let mut given = Given { members, bits: 0 };
        let object = self.name;
        if !self.enter(b'{', "expected an object", "an object")? {
            return Ok(given);
        }
        let mut more = !self.close(b'}');
        while more {
            let at = self.at;
            let name = self.string()?;
            let mut known = members
                .iter()
                .enumerate()
                .find(|(_, member)| member.names.contains(&&*name));
            match known {
                None => self.refuse_named(Fault::UnknownMember, "an unknown member", &name, at)?,
                Some((n, member)) => {
                    self.name = member.names[0];
                    if given.bits & 1 << n != 0 {
                        let reason = "a second member of the same name";
                        self.refuse(Fault::SecondMember, reason, at)?;
                        // Its value is skipped: a member that counts twice would take memory twice.
                        known = None;
                    }
                    given.bits |= 1 << n;
                    if member.names[0] != &*name {
                        self.note(Fault::SnakeCase, at);
                    }
                }
            }
            self.skip_whitespace();
            self.open(b':', "expected a colon")?;
            self.skip_whitespace();
            match known {
                None => self.skip_value(MAX_DEPTH)?,
                Some((_, member)) => (member.read)(self, message)?,
            }
            more = self.comma_or_close(b'}')?;
        }
        self.name = object;
        Ok(given)
    }

    /// Reads an array, each element with `element`.
    pub(super) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), ParseError>,
    ) -> Result<(), ParseError> {
        if self.peek() == Some(b'{') {
            self.refuse(Fault::NotA("an array"), "expected an array", self.at)?;
            return element(self);
        }
        if !self.enter(b'[', "expected an array", "an array")? {
            return Ok(());
        }
        let mut more = !self.close(b']');
        while more {
            element(self)?;
            more = self.comma_or_close(b']')?;
        }
        Ok(())
    }

    /// Reads `null` if it is next.
    pub(super) fn null(&mut self) -> bool {
        let null = self.rest().starts_with("null");
        if null {
            self.at += 4;
        }
        null
    }

    /// Reads a string where the value should be one: a slice of the input if it has no escapes.
    pub(super) fn text(&mut self) -> Result<Option<Text<'a>>, ParseError> {
        if !self.at_string() {
            self.refuse(Fault::NotA("a string"), "expected a string", self.at)?;
            self.skip_value(MAX_DEPTH)?;
            return Ok(None);
        }
        self.string().map(Some)
    }

    /// Reads a string.
    pub(super) fn string(&mut self) -> Result<Text<'a>, ParseError> {
        self.open(b'"', "expected a string")?;
        let start = self.at;
        loop {
            let rest = self.text.as_bytes().split_at(self.at).1;
            let mut bytes = rest.iter();
            let special = bytes.position(|byte| matches!(byte, b'"' | b'\\' | 0..b' '));
            self.at += special.unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => break,
                // Skip the escaped character too: it may be a quotation mark.
                Some(b'\\') => self.at = self.text.len().min(self.at + 2),
                Some(_) => return Err(self.error("a control character in a string")),
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

    /// Returns whether an object is next. When reading past faults, skips any other value.
    pub(super) fn at_object(&mut self) -> Result<bool, ParseError> {
        if self.peek() == Some(b'{') {
            return Ok(true);
        }
        self.refuse(Fault::NotA("an object"), "expected an object", self.at)?;
        self.skip_value(MAX_DEPTH)?;
        Ok(false)
    }

    /// Reads the characters of a number. Another kind of value gives no characters, and is skipped
    /// if the text is read past its faults.
    pub(super) fn number(&mut self) -> Result<&'a str, ParseError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        let number = rest.split_at(end.unwrap_or(rest.len())).0;
        self.at += number.len();
        if number.is_empty() && self.report.is_some() {
            self.skip_value(MAX_DEPTH)?;
        }
        Ok(number)
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    /// Ends the reading with `reason`, or reports the fault where the text is read past it.
    pub(super) fn refuse(
        &mut self,
        fault: Fault,
        reason: &'static str,
        at: usize,
    ) -> Result<(), ParseError> {
        self.refuse_named(fault, reason, self.name, at)
    }

    fn refuse_named(
        &mut self,
        fault: Fault,
        reason: &'static str,
        name: &str,
        at: usize,
    ) -> Result<(), ParseError> {
        match &mut self.report {
            Some(report) if at < self.text.len() => {
                report(fault, name, at);
                Ok(())
            }
            _ => Err(self.error_at(reason, at)),
        }
    }

    /// Reports an oddity that is no fault, if the text is read for a report.
    pub(super) fn note(&mut self, fault: Fault, at: usize) {
        if let Some(report) = &mut self.report {
            report(fault, self.name, at);
        }
    }

    pub(super) fn note_of(&mut self, fault: Fault, name: &str, at: usize) {
        if let Some(report) = &mut self.report {
            report(fault, name, at);
        }
    }

    /// Makes an error that names this place: `reason`, unless the text has ended.
    pub(super) fn error(&self, reason: &'static str) -> ParseError {
        self.error_at(reason, self.at)
    }

    const fn error_at(&self, reason: &'static str, at: usize) -> ParseError {
        let ended = at >= self.text.len();
        ParseError::new(
            if ended {
                "the text ends too soon"
            } else {
                reason
            },
            at,
        )
    }

    /// Reads past a value of any kind.
    fn skip_value(&mut self, depth: usize) -> Result<(), ParseError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.error("a value that is nested too deep"));
        };
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => {
                self.at += 1;
                let mut more = !self.close(b'}');
                while more {
                    self.string()?;
                    self.skip_whitespace();
                    self.open(b':', "expected a colon")?;
                    self.skip_whitespace();
                    self.skip_value(depth)?;
                    more = self.comma_or_close(b'}')?;
                }
                Ok(())
            }
            Some(b'[') => {
                self.at += 1;
                let mut more = !self.close(b']');
                while more {
                    self.skip_value(depth)?;
                    more = self.comma_or_close(b']')?;
                }
                Ok(())
            }
            _ => {
                let rest = self.rest();
                let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
                let len = rest.find(|c| !word(c)).unwrap_or(rest.len());
                if len == 0 {
                    return Err(self.error("expected a value"));
                }
                self.at += len;
                Ok(())
            }
        }
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

    /// Steps into a value, or past it where it is of another kind.
    fn enter(
        &mut self,
        bracket: u8,
        reason: &'static str,
        kind: &'static str,
    ) -> Result<bool, ParseError> {
        if self.peek() == Some(bracket) {
            self.at += 1;
            return Ok(true);
        }
        self.refuse(Fault::NotA(kind), reason, self.at)?;
        self.skip_value(MAX_DEPTH)?;
        Ok(false)
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
        let comma = self.at;
        self.open(b',', "expected a comma or a closing bracket")?;
        self.skip_whitespace();
        if self.peek() == Some(bracket) {
            let reason = "a comma before a closing bracket";
            self.refuse(Fault::TrailingComma, reason, comma)?;
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }
}

/// Returns the integer that is written as digits alone, with neither point nor exponent.
pub(super) fn digits<T: FromStr>(number: &str) -> Option<T> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    // `parse` would take a plus sign and leading zeros.
    let plain = digits == "0" || digits.starts_with(|first: char| matches!(first, '1'..='9'));
    number.parse().ok().filter(|_| plain)
}

/// Returns the whole number that a JSON number stands for: `42`, `42.0` and `4.2e1` are one.
///
/// # Source
/// The JSON mapping of protobuf, under `uint32`.
pub(super) fn whole(number: &str) -> Option<u32> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let exponent_digits = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let sound = is_digits(integer)
        && (integer == "0" || !integer.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent_digits.is_none_or(is_digits);
    if !sound {
        return None;
    }
    let fraction = fraction.unwrap_or_default().trim_end_matches('0');
    if fraction.is_empty() && integer == "0" {
        return Some(0);
    }
    // No number of 32 bits has an exponent that does not fit, unless it has as many zeros.
    let exponent: i64 = exponent.map_or(Some(0), |text| text.parse().ok())?;
    let shift = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let zeros = match fraction {
        "" => integer.len() - integer.trim_end_matches('0').len(),
        _ => 0,
    };
    let kept = integer.len()
        - usize::try_from(shift.min(0).unsigned_abs())
            .ok()
            .filter(|cut| *cut <= zeros)?;
    let digits = integer.get(..kept)?.bytes().chain(fraction.bytes());
    let value = digits
        .skip_while(|digit| *digit == b'0')
        .try_fold(0_u32, |value, digit| {
            value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
        })?;
    let scale = u32::try_from(shift.max(0))
        .ok()
        .and_then(|by| 10_u32.checked_pow(by))?;
    value.checked_mul(scale)
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

    fn integer<T: FromStr>(
        reader: &mut Reader<'_>,
        expected: &'static str,
    ) -> Result<T, ParseError> {
        let error = reader.error(expected);
        digits(reader.number()?).ok_or(error)
    }

    const MESSAGE: &[Member<Message>] = &[
        member("text", "text", |reader, message| {
            message.text = reader.string()?.to_owned();
            Ok(())
        }),
        member("anInteger", "an_integer", |reader, message| {
            message.integer = integer(reader, "expected an i32")?;
            Ok(())
        }),
        member("array", "array", |reader, message| {
            reader.array(|reader| {
                message.array.push(integer(reader, "expected an u32")?);
                Ok(())
            })
        }),
    ];

    fn read(json: impl AsRef<[u8]>) -> Result<Message, String> {
        let mut message = Message::default();
        match Reader::read(json.as_ref(), MESSAGE, &mut message, None) {
            Ok(_) => Ok(message),
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
    fn a_number_of_any_spelling_is_the_whole_number_that_it_stands_for() {
        for (number, value) in [
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("0e99999999999999999999", Some(0)),
            ("42", Some(42)),
            ("42.0", Some(42)),
            ("42.000", Some(42)),
            ("4.2e1", Some(42)),
            ("4.20E+1", Some(42)),
            ("0.42e2", Some(42)),
            ("0.00042e5", Some(42)),
            ("420e-1", Some(42)),
            ("4200.00e-2", Some(42)),
            ("42e0", Some(42)),
            ("4294967295", Some(u32::MAX)),
            ("4.294967295e9", Some(u32::MAX)),
            ("42949672950e-1", Some(u32::MAX)),
            ("4294967296", None),
            ("4.294967296e9", None),
            ("42.5", None),
            ("42e-1", None),
            ("4.25e1", None),
            ("1e-1", None),
            ("1e10", None),
            ("1e1000", None),
            ("1e99999999999999999999", None),
            ("1e-99999999999999999999", None),
            ("1e-9223372036854775808", None),
            ("-0", None),
            ("-1", None),
            ("+42", None),
            ("042", None),
            ("00", None),
            (".5", None),
            ("5.", None),
            ("5.e1", None),
            ("1e", None),
            ("1e+", None),
            ("e1", None),
            ("1e1e1", None),
            ("1.0.0", None),
            ("", None),
            (" 42", None),
            ("42 ", None),
            ("4_2", None),
            ("NaN", None),
        ] {
            assert_eq!(whole(number), value, "{number}");
        }
        let long = format!("42.{}", "0".repeat(100_000));
        assert_eq!(whole(&long), Some(42));
        let long = format!("42{}e-100000", "0".repeat(100_000));
        assert_eq!(whole(&long), Some(42));
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
            (
                r#"{"text":"",}"#,
                "a comma before a closing bracket at byte 10",
            ),
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
            (
                r#"{"array":[1,]}"#,
                "a comma before a closing bracket at byte 11",
            ),
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
            (r#"{"text":"\ud800"}"#, "an invalid escape at byte 9"),
            (r#"{"array":["#, "the text ends too soon at byte 10"),
        ];
        for (json, error) in cases {
            assert_eq!(read(json).err().as_deref(), Some(error), "{json}");
        }
    }
}
