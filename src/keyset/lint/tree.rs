//! JSON as a tree of slices: lenient where a keyset may be wrong.

use crate::wire::json::Text;

/// A value.
pub(super) enum Value<'a> {
    Object(Vec<(Text<'a>, Self)>),
    Array(Vec<Self>),
    Text(Text<'a>),
    Number(&'a str),
    /// `true`, `false` or `null`.
    Word(&'a str),
}

/// A value, and what a strict reader would not have let pass.
pub(super) struct Parsed<'a> {
    pub(super) value: Value<'a>,
    pub(super) trailing_comma: Option<usize>,
    pub(super) trailing_data: Option<usize>,
}

/// A keyset is four levels deep.
const DEPTH: usize = 16;

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, String> {
    let text = str::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 at byte {}", error.valid_up_to()))?;
    let mut parser = Parser {
        text,
        at: 0,
        trailing_comma: None,
    };
    let value = parser.value(DEPTH)?;
    parser.skip_space();
    Ok(Parsed {
        value,
        trailing_comma: parser.trailing_comma,
        trailing_data: parser.peek().map(|_| parser.at),
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    trailing_comma: Option<usize>,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return self.fail("it is nested too deep");
        };
        self.skip_space();
        match self.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                self.sequence(b'}', |parser| {
                    let name = parser.string()?;
                    parser.skip_space();
                    parser.take(b':', "a colon is missing")?;
                    members.push((name, parser.value(depth)?));
                    Ok(())
                })?;
                Ok(Value::Object(members))
            }
            Some(b'[') => {
                let mut values = Vec::new();
                self.sequence(b']', |parser| {
                    values.push(parser.value(depth)?);
                    Ok(())
                })?;
                Ok(Value::Array(values))
            }
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'+' | b'.' | b'0'..=b'9') => {
                Ok(Value::Number(self.run(|c| {
                    matches!(c, b'-' | b'+' | b'.' | b'0'..=b'9' | b'e' | b'E')
                })))
            }
            _ => {
                let at = self.at;
                match self.run(|c| c.is_ascii_alphabetic()) {
                    word @ ("true" | "false" | "null") => Ok(Value::Word(word)),
                    _ => {
                        self.at = at;
                        self.fail("a value is missing")
                    }
                }
            }
        }
    }

    /// Reads what stands between brackets, with commas in between and perhaps one at the end.
    fn sequence(
        &mut self,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.at += 1;
        self.skip_space();
        while self.peek() != Some(close) {
            item(self)?;
            self.skip_space();
            if self.peek() == Some(close) {
                break;
            }
            let comma = self.at;
            self.take(b',', "a comma or a closing bracket is missing")?;
            self.skip_space();
            if self.peek() == Some(close) {
                self.trailing_comma.get_or_insert(comma);
            }
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<Text<'a>, String> {
        self.take(b'"', "a string is missing")?;
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    // Both ends are beside a quotation mark, so they are between characters.
                    let text = self.text.get(start..self.at).unwrap_or_default();
                    self.at += 1;
                    return Text::new(text, start).map_err(|error| error.to_string());
                }
                b'\\' => self.at += 2,
                0..b' ' => return self.fail("a control character is in a string"),
                _ => self.at += 1,
            }
        }
        self.fail("a string does not end")
    }

    fn run(&mut self, mut accept: impl FnMut(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&mut accept) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn take(&mut self, byte: u8, otherwise: &str) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return self.fail(otherwise);
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn fail<T>(&self, reason: &str) -> Result<T, String> {
        if self.at >= self.text.len() {
            return Err("it ends too soon".to_owned());
        }
        Err(format!("{reason} at byte {}", self.at))
    }
}
