//! Time: instants and durations as Key Manager writes them, and the clock that a test sets.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: u32 = 1_000_000_000;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since 1970: what RFC 3339 can write.
const FIRST_SECOND: i64 = -62_135_596_800;
const LAST_SECOND: i64 = 253_402_300_799;

/// Tells the emulator what time it is.
///
/// Rotation dates, the days before a deleted key is gone, the expiry of API keys and every time
/// stamp follow it. [`SystemClock`] is the default; [`ManualClock`] moves only when a test sets
/// it.
pub trait Clock: Send + Sync {
    /// Returns the time. A time before the year 1 or after 9999 counts as the nearest of the two.
    fn now(&self) -> SystemTime;
}

/// Tells the operating system's time.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Tells the time that you set. Clones are the same clock.
///
/// # Example
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use keyseal_emulator::{Clock, ManualClock};
///
/// let clock = ManualClock::new(UNIX_EPOCH);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), UNIX_EPOCH + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<SystemTime>>);

impl ManualClock {
    /// Makes a clock that shows `start`.
    #[must_use]
    pub fn new(start: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Moves the clock forward by `step`, up to the last time that it can hold.
    pub fn advance(&self, step: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(step).unwrap_or(*now);
    }

    /// Sets the clock.
    pub fn set(&self, now: SystemTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An instant between the years 1 and 9999, to the nanosecond, in UTC.
///
/// Printed as RFC 3339 with 0, 3, 6 or 9 decimals, the fewest that are exact, as in protobuf's
/// JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp {
    seconds: i64,
    nanos: u32,
}

impl Timestamp {
    /// The last instant that can be written.
    pub(super) const MAX: Self = Self {
        seconds: LAST_SECOND,
        nanos: NANOS_PER_SECOND - 1,
    };

    /// Parses RFC 3339 with any offset and up to nine decimals.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once(['T', 't', ' '])?;
        let (clock, offset) = match rest.strip_suffix(['Z', 'z']) {
            Some(clock) => (clock, 0),
            None => {
                let sign = rest.rfind(['+', '-'])?;
                let (clock, offset) = (rest.get(..sign)?, rest.get(sign + 1..)?);
                let (hours, minutes) = offset.split_once(':')?;
                let offset = digits(hours, 2, 23)? * 3600 + digits(minutes, 2, 59)? * 60;
                (
                    clock,
                    if rest.get(sign..=sign)? == "-" {
                        -offset
                    } else {
                        offset
                    },
                )
            }
        };
        let mut date = date.split('-');
        let year = digits(date.next()?, 4, 9999)?;
        let month = digits(date.next()?, 2, 12)?;
        let day = digits(date.next()?, 2, 31)?;
        if date.next().is_some() || month < 1 || day < 1 || day > days_of_month(year, month) {
            return None;
        }
        let (clock, nanos) = match clock.split_once('.') {
            Some((clock, fraction)) => (clock, decimals(fraction)?),
            None => (clock, 0),
        };
        let mut clock = clock.split(':');
        let hour = digits(clock.next()?, 2, 23)?;
        let minute = digits(clock.next()?, 2, 59)?;
        let second = digits(clock.next()?, 2, 59)?;
        if clock.next().is_some() {
            return None;
        }
        let seconds =
            days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second
                - offset;
        (FIRST_SECOND..=LAST_SECOND)
            .contains(&seconds)
            .then_some(Self { seconds, nanos })
    }

    /// Rounds down to microseconds: all time stamps but a data key's are that coarse.
    pub(super) const fn in_micros(self) -> Self {
        Self {
            nanos: self.nanos / 1000 * 1000,
            ..self
        }
    }

    /// Adds `step`, up to [`Timestamp::MAX`].
    pub(super) fn plus(self, step: Duration) -> Self {
        let nanos = self.nanos + step.subsec_nanos();
        i64::try_from(step.as_secs())
            .ok()
            .and_then(|step| {
                self.seconds
                    .checked_add(step + i64::from(nanos / NANOS_PER_SECOND))
            })
            .filter(|seconds| *seconds <= LAST_SECOND)
            .map_or(Self::MAX, |seconds| Self {
                seconds,
                nanos: nanos % NANOS_PER_SECOND,
            })
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self {
                seconds: 0,
                nanos: 0,
            }
            .plus(after),
            Err(before) => {
                let before = before.duration();
                let first = Duration::from_secs(FIRST_SECOND.unsigned_abs());
                Self {
                    seconds: FIRST_SECOND,
                    nanos: 0,
                }
                .plus(first.saturating_sub(before))
            }
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_from_days(self.seconds.div_euclid(SECONDS_PER_DAY));
        let second = self.seconds.rem_euclid(SECONDS_PER_DAY);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(
            f,
            "{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )?;
        write_decimals(f, self.nanos)?;
        f.write_str("Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 time"))
    }
}

/// A duration as protobuf's JSON writes it: seconds, up to nine decimals, `s`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seconds(pub(super) Duration);

impl Seconds {
    /// Parses a number of seconds that is not negative.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = text.strip_suffix('s')?;
        let (whole, nanos) = match number.split_once('.') {
            Some((whole, fraction)) => (whole, decimals(fraction)?),
            None => (number, 0),
        };
        if whole.is_empty() || !whole.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        Some(Self(Duration::new(whole.parse().ok()?, nanos)))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs())?;
        write_decimals(f, self.0.subsec_nanos())?;
        f.write_str("s")
    }
}

impl fmt::Debug for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a duration in seconds"))
    }
}

fn digits(text: &str, length: usize, max: i64) -> Option<i64> {
    let all_digits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|value| all_digits && *value <= max)
}

/// Reads one to nine decimals as nanoseconds.
fn decimals(text: &str) -> Option<u32> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits || text.is_empty() || text.len() > 9 {
        return None;
    }
    format!("{text:0<9}").parse().ok()
}

fn write_decimals(f: &mut fmt::Formatter<'_>, nanos: u32) -> fmt::Result {
    match nanos {
        0 => Ok(()),
        nanos if nanos % 1_000_000 == 0 => write!(f, ".{:03}", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => write!(f, ".{:06}", nanos / 1_000),
        nanos => write!(f, ".{nanos:09}"),
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap(year)),
        _ => 31,
    }
}

/// Counts the days from 1970-01-01 to a date of the Gregorian calendar. The year is taken to begin
/// on the first of March, so that the leap day is its last.
fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + day_of_year - 719_468
}

fn date_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_the_fewest_decimals_that_lose_nothing() {
        for (input, wanted) in [
            ("2026-07-07T07:46:06.350936Z", "2026-07-07T07:46:06.350936Z"),
            ("2026-07-07T07:46:06.404700Z", "2026-07-07T07:46:06.404700Z"),
            (
                "2026-07-07T07:46:08.576401298Z",
                "2026-07-07T07:46:08.576401298Z",
            ),
            ("2026-07-07T07:46:08.5Z", "2026-07-07T07:46:08.500Z"),
            ("2026-07-07T07:46:08.000000Z", "2026-07-07T07:46:08Z"),
            ("2026-07-07T09:46:08+02:00", "2026-07-07T07:46:08Z"),
            ("2026-07-06T21:46:08-10:00", "2026-07-07T07:46:08Z"),
            ("2024-02-29T00:00:00z", "2024-02-29T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            (
                "9999-12-31T23:59:59.999999999Z",
                "9999-12-31T23:59:59.999999999Z",
            ),
        ] {
            assert_eq!(Timestamp::parse(input).unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "2026-07-07",
            "2026-07-07T07:46:06",
            "2026-13-07T07:46:06Z",
            "2026-00-07T07:46:06Z",
            "2026-02-29T07:46:06Z",
            "1900-02-29T07:46:06Z",
            "2026-07-07T24:00:00Z",
            "2026-07-07T07:46:60Z",
            "2026-07-07T07:46:06.Z",
            "2026-07-07T07:46:06.1234567890Z",
            "2026-07-07T07:46:06+2:00",
            "2026-7-07T07:46:06Z",
            "+026-07-07T07:46:06Z",
            "0000-12-31T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "2026-07-07T07:46:06Zé",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_prints_and_parses_back() {
        let start = days_from_date(1600, 1, 1);
        let mut expected = (1600, 1, 1);
        for days in start..days_from_date(2400, 1, 1) {
            assert_eq!(date_from_days(days), expected);
            assert_eq!(days_from_date(expected.0, expected.1, expected.2), days);
            let (year, month, day) = expected;
            expected = if day < days_of_month(year, month) {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
        }
        assert_eq!(expected, (2400, 1, 1));
    }

    #[test]
    fn system_times_convert_on_both_sides_of_1970_and_saturate() {
        let at = |time: SystemTime| Timestamp::from(time).to_string();
        assert_eq!(at(UNIX_EPOCH), "1970-01-01T00:00:00Z");
        assert_eq!(
            at(UNIX_EPOCH + Duration::from_nanos(1)),
            "1970-01-01T00:00:00.000000001Z"
        );
        assert_eq!(
            at(UNIX_EPOCH - Duration::from_millis(1)),
            "1969-12-31T23:59:59.999Z"
        );
        let far = UNIX_EPOCH + Duration::from_secs(400_000_000_000);
        assert_eq!(at(far), "9999-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn durations_parse_in_every_client_s_form_and_print_canonically() {
        for (input, wanted) in [
            ("2592000.000000000s", "2592000s"),
            ("2592000s", "2592000s"),
            ("0s", "0s"),
            ("1.5s", "1.500s"),
            ("1.000001s", "1.000001s"),
            ("1.000000001s", "1.000000001s"),
        ] {
            assert_eq!(Seconds::parse(input).unwrap().to_string(), wanted);
        }
        for text in [
            "",
            "s",
            "1",
            "-1s",
            "+1s",
            ".5s",
            "1.s",
            "1.0000000000s",
            "1e3s",
            "30d",
        ] {
            assert_eq!(Seconds::parse(text), None, "{text}");
        }
    }
}
