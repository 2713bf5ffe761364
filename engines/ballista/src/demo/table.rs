//! The table of measurements.

use std::time::Duration;

use super::output::say;

/// A query's measurements: of encrypted tables, and of plain ones.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) time: [Duration; 2],
    pub(super) bytes: [u64; 2],
    pub(super) requests: [u64; 2],
    pub(super) calls: usize,
    pub(super) is_right: bool,
}

pub(super) fn head(title: &str) {
    say("");
    say(&format!(
        "{title:<24}{:>8}{:>8}{:>7}{:>14}{:>7}{:>10}{:>7}",
        "time", "plain", "ratio", "bytes read", "ratio", "requests", "calls"
    ));
}

impl Row {
    #[allow(
        clippy::cast_precision_loss,
        reason = "a ratio is shown with two digits"
    )]
    pub(super) fn show(&self) {
        let [time, plain] = self.time.map(|time| time.as_secs_f64());
        let [bytes, plain_bytes] = self.bytes;
        let [requests, plain_requests] = self.requests;
        let ratio = match plain_bytes {
            0 => "-".to_owned(),
            plain => format!("{:.2}", bytes as f64 / plain as f64),
        };
        let wrong = if self.is_right { "" } else { "   WRONG RESULT" };
        say(&format!(
            "  {:<22}{time:>6.2} s{plain:>6.2} s{:>7.2}{:>14}{ratio:>7}{:>10}{:>7}{wrong}",
            self.name,
            time / plain,
            grouped(bytes),
            format!("{requests}/{plain_requests}"),
            self.calls,
        ));
    }
}

/// Writes a number with a comma after each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_end() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
