//! Keys in reports.

use keyseal::kms::scaleway::KeyMetadata;
use serde_json::Value;

use crate::{context::Context, display::printable, error::Failure};

/// Reports a change of a key; the JSON form is the service's own object.
pub(super) fn report(done: &str, key: &KeyMetadata, context: &Context) -> Result<(), Failure> {
    context.report(done, &as_json(key), false)
}

/// Returns the service's own object.
pub(super) fn as_json(key: &KeyMetadata) -> Value {
    // This text was parsed from JSON before.
    serde_json::from_str(key.json()).unwrap_or_default()
}

/// Returns the words for a key in a sentence: its name and its URI.
pub(super) fn name(key: &KeyMetadata) -> String {
    format!("{} ({})", printable(key.name()), key.uri())
}

pub(super) fn usage(key: &KeyMetadata) -> String {
    match key.usage_member() {
        Some((_, algorithm)) => printable(algorithm),
        None => "unknown".to_owned(),
    }
}

/// Lays out a line for each row below `head`, or nothing if there are no rows.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows);
    if lines.len() == 1 {
        return String::new();
    }
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &lines {
        let mut row = String::new();
        for (width, cell) in widths.iter().zip(line) {
            row.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Lays out one line for each field, as `scw` does.
pub(crate) fn columns(fields: &[(&str, &str)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    fields
        .iter()
        .map(|(name, value)| format!("{name:width$}{value}\n"))
        .collect()
}
