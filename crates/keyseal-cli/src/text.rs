//! Text for people: safe to print, and easy to read.

use std::{
    borrow::Cow,
    ffi::OsStr,
    fmt::{self, Display},
};

use serde_json::Value;

/// Escapes characters that would change a terminal's state: file and type names come from others.
///
/// Messages and reports are escaped when they are written. This is for a part of a longer text,
/// such as the cell of a table, in which a line break must be escaped, too.
pub(crate) fn printable(text: impl Display) -> String {
    escape(&text.to_string(), |c| c.escape_unicode().to_string())
}

/// Returns a JSON document as text, with everything that a terminal would act on escaped.
pub(crate) fn json_text(value: &Value) -> String {
    let text = format!("{value:#}");
    // Outside its strings, a document has no control characters except line breaks.
    let lines = text.split('\n').map(|line| {
        escape(line, |c| {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            units.map(|unit| format!("\\u{unit:04x}")).collect()
        })
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn escape(text: &str, escaped: impl Fn(char) -> String) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match is_active(c) {
            true => plain.push_str(&escaped(c)),
            false => plain.push(c),
        }
    }
    plain
}

/// Returns whether a terminal acts on a character, or moves other characters because of it.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Lines for people. No text that becomes a line can break it, or change a terminal's state.
///
/// Messages and reports take this type. A `String` is one line, with its line breaks escaped: a
/// file's name forges no line of ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Vec<String>);

impl Lines {
    /// Takes a text with our own line breaks. Parts from elsewhere must have been through
    /// [`printable`].
    pub(crate) fn of_text(text: &str) -> Self {
        let text = text.strip_suffix('\n').unwrap_or(text);
        Self(text.split('\n').map(printable).collect())
    }

    /// Adds a line.
    pub(crate) fn line(mut self, line: impl Display) -> Self {
        self.0.push(printable(line));
        self
    }
}

impl From<&str> for Lines {
    fn from(line: &str) -> Self {
        Self::default().line(line.strip_suffix('\n').unwrap_or(line))
    }
}

impl From<&String> for Lines {
    fn from(line: &String) -> Self {
        Self::from(line.as_str())
    }
}

impl Display for Lines {
    /// Each line ends with a line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Returns whether bytes can go to a terminal unchanged.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| {
        !text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    })
}

/// Quotes an argument for a shell.
pub(crate) fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns `1 key`, `2 keys` and so on.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// Returns the last word of a type URL.
pub(crate) fn short_type(type_url: &str) -> String {
    let short = type_url.strip_prefix("type.googleapis.com/google.crypto.tink.");
    printable(cut(short.unwrap_or(type_url), LONGEST_NAME))
}

/// The longest type URL that is shown, in characters.
pub(crate) const LONGEST_NAME: usize = 200;

/// Returns a text of at most so many characters: a name in a file may have megabytes.
pub(crate) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        Some((end, _)) => {
            let (start, rest) = text.split_at(end);
            format!("{start}… ({} bytes more)", rest.len()).into()
        }
        None => text.into(),
    }
}

const UNITS: [(&str, u32); 7] = [
    ("EiB", 60),
    ("PiB", 50),
    ("TiB", 40),
    ("GiB", 30),
    ("MiB", 20),
    ("KiB", 10),
    ("bytes", 0),
];

/// Returns a number of bytes in the largest unit that is exact.
pub(crate) fn size(bytes: u64) -> String {
    let exact = |shift: u32| bytes >> shift << shift == bytes && bytes >> shift > 0;
    let unit = UNITS.iter().find(|(_, shift)| exact(*shift));
    match unit {
        Some((name, shift)) => format!("{} {name}", bytes >> shift),
        None => format!("{bytes} bytes"),
    }
}

/// Returns a number of bytes, rounded, in a fitting unit.
pub(crate) fn about(bytes: u64) -> String {
    let rounded = |shift: u32| (bytes >> shift) + (bytes >> shift.saturating_sub(1) & 1);
    let unit = UNITS
        .iter()
        .find(|(_, shift)| *shift > 0 && rounded(*shift) > 0);
    match unit {
        Some((name, shift)) => format!("{} {name}", rounded(*shift)),
        None => format!("{bytes} bytes"),
    }
}

/// Returns the name that was most likely meant.
pub(crate) fn closest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = folded(name);
    known
        .into_iter()
        .map(|known| (distance(&wanted, &folded(known)), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= (wanted.len() / 3).max(1))
        .map(|(_, known)| known)
}

/// Spelling without what people vary.
pub(crate) fn folded(name: &str) -> Vec<u8> {
    name.bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_lowercase())
        .collect()
}

/// Counts the edits from one word to another; exchanging two neighbours is one edit.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (i, &in_a) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut previous_b = None;
        for (j, &in_b) in b.iter().enumerate() {
            let at = |row: &[usize], n: usize| row.get(n).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, j) + usize::from(in_a != in_b))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            if j > 0 && previous_a == Some(in_b) && previous_b == Some(in_a) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
            previous_b = Some(in_b);
        }
        before = std::mem::replace(&mut last, row);
        previous_a = Some(in_a);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("aes128gcm", "aes128gcm", 0),
            ("ase128gcm", "aes128gcm", 1),
            ("aes18gcm", "aes128gcm", 1),
            ("aes256gmc", "aes128gcm", 4),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), edits, "{a} {b}");
        }
    }

    #[test]
    fn closest_finds_what_was_meant_and_nothing_far_away() {
        let known = [
            "AES128_GCM",
            "AES256_GCM",
            "AES256_GCM_RAW",
            "XCHACHA20_POLY1305",
        ];
        assert_eq!(closest("aes-256-gcm", known), Some("AES256_GCM"));
        assert_eq!(closest("AES256GMC", known), Some("AES256_GCM"));
        assert_eq!(
            closest("xchacha20poly1350", known),
            Some("XCHACHA20_POLY1305")
        );
        assert_eq!(closest("RSA", known), None);
        assert_eq!(closest("", known), None);
    }

    #[test]
    fn printable_escapes_what_moves_a_terminal() {
        assert_eq!(printable("plain é"), "plain é");
        assert_eq!(printable("\u{1b}[2J\n"), "\\u{1b}[2J\\u{a}");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn a_line_stays_one_line() {
        let forged = Lines::from("a\nwrote b\u{1b}[2K\r");
        assert_eq!(forged.to_string(), "a\\u{a}wrote b\\u{1b}[2K\\u{d}\n");
        let two = Lines::from("one\n").line("two\n");
        assert_eq!(two.to_string(), "one\ntwo\\u{a}\n");
        assert_eq!(
            Lines::of_text("a\n\nb\u{7}\n").to_string(),
            "a\n\nb\\u{7}\n"
        );
    }

    #[test]
    fn json_escapes_what_a_terminal_acts_on() {
        let value = serde_json::json!({"name": "a\u{9b}\u{7f}\u{202e}\n\u{1b}é"});
        let text = json_text(&value);
        assert!(!text.chars().any(|c| c != '\n' && is_active(c)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn long_names_are_cut_and_say_so() {
        assert_eq!(cut("naïve", 5), "naïve");
        assert_eq!(cut("naïve", 3), "naï… (2 bytes more)");
        let url = format!("type.googleapis.com/{}", "é".repeat(1 << 20));
        assert!(short_type(&url).len() < 500);
    }

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        assert_eq!(
            quoted(OsStr::new("file-kms://a/b.json")),
            "file-kms://a/b.json"
        );
        assert_eq!(quoted(OsStr::new("it's here")), r"'it'\''s here'");
        assert_eq!(quoted(OsStr::new("")), "''");
        assert_eq!(quoted(OsStr::new("~")), "'~'");
    }

    #[test]
    fn sizes_are_exact_or_rounded() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1025), "1025 bytes");
        assert_eq!(size(16 << 20), "16 MiB");
        assert_eq!(size(2 << 30), "2 GiB");
        assert_eq!(about(0), "0 bytes");
        assert_eq!(about(511), "511 bytes");
        assert_eq!(about(1500), "1 KiB");
        assert_eq!(about((1 << 36) - 32), "64 GiB");
        assert_eq!(about(1 << 36), "64 GiB");
        assert_eq!(about((1 << 38) - 64), "256 GiB");
    }
}
