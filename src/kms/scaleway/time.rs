//! [`Timestamp`] and [`Seconds`]: the service's notation for times and durations.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use jiff::{
    SignedDuration,
    civil::{DateTime, date},
    fmt::temporal::Pieces,
};

use crate::error::{KmsError, KmsErrorKind};

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// A point in time between the years 1 and 9999, to the nanosecond.
///
/// It reads RFC 3339 with any offset, and prints UTC as the service does, with 0, 3, 6 or 9
/// decimals, such as `2026-07-07T07:46:06.350936Z`.
///
/// # Source
/// RFC 3339, and protobuf's JSON form of `google.protobuf.Timestamp`.
///
/// # Example
/// ```
/// use std::time::{Duration, SystemTime};
/// use keyseal::kms::scaleway::Timestamp;
///
/// let time: Timestamp = "2001-09-09T03:46:40.5+02:00".parse()?;
/// assert_eq!(time.to_string(), "2001-09-09T01:46:40.500Z");
/// let since_1970 = Duration::from_millis(1_000_000_000_500);
/// assert_eq!(time.system_time(), SystemTime::UNIX_EPOCH + since_1970);
/// # Ok::<(), keyseal::KmsError>(())
/// ```
// In UTC. `jiff::Timestamp` ends 26 hours before the year 9999 does; protobuf's ends with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime);

impl Timestamp {
    /// The first point in time, 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(date(1, 1, 1).at(0, 0, 0, 0));
    /// The last point in time, 9999-12-31T23:59:59.999999999Z.
    pub const MAX: Self = Self(DateTime::MAX);

    /// Returns the time as a type of the standard library, or the epoch where the platform's clock
    /// does not reach that far.
    #[must_use]
    pub fn system_time(self) -> SystemTime {
        let since = self.0.duration_since(EPOCH);
        let time = if since.is_negative() {
            SystemTime::UNIX_EPOCH.checked_sub(since.unsigned_abs())
        } else {
            SystemTime::UNIX_EPOCH.checked_add(since.unsigned_abs())
        };
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Adds `duration`, up to [`MAX`](Self::MAX).
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// Rounds down to microseconds, as the service does for the times of a key.
    #[must_use]
    pub fn to_microseconds(self) -> Self {
        let nanos = self.0.subsec_nanosecond() % 1_000;
        Self(
            self.0
                .saturating_sub(SignedDuration::from_nanos(nanos.into())),
        )
    }

    /// Reads RFC 3339 and nothing else of what jiff reads: ISO 8601 without separators or seconds,
    /// signed years, time zones by name, leap seconds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date_time, rest) = text.split_at_checked(19)?;
        let (fraction, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-'])?);
        let is_strict = is_shaped(date_time, "0000-00-00T00:00:00")
            && !date_time.ends_with("60")
            && (fraction.is_empty() || is_fraction(fraction.strip_prefix('.')?))
            && (matches!(offset, "Z" | "z")
                || is_shaped(offset.get(1..)?, "00:00") && offset.get(1..3)? < "24");
        let pieces = is_strict.then(|| Pieces::parse(text).ok())??;
        let local = pieces.date().to_datetime(pieces.time()?);
        let offset = SignedDuration::from_secs(pieces.to_numeric_offset()?.seconds().into());
        let time = Self(local.checked_sub(offset).ok()?);
        (time >= Self::MIN).then_some(time)
    }
}

impl FromStr for Timestamp {
    type Err = KmsError;

    fn from_str(text: &str) -> Result<Self, KmsError> {
        Self::parse(text).ok_or_else(|| {
            KmsError::new(KmsErrorKind::InvalidInput)
                .with_message("a time must be RFC 3339, such as 2026-07-07T07:46:06Z")
        })
    }
}

/// A time before the year 1 or after 9999 becomes the nearest one within.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let time = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => EPOCH.saturating_add(after),
            Err(before) => EPOCH.saturating_sub(before.duration()),
        };
        Self(time).max(Self::MIN)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.subsec_nanosecond().unsigned_abs();
        write!(f, "{:.*}Z", decimals(nanos), self.0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A duration in the service's notation, such as `2592000s` or `0.500s`. Never negative.
///
/// # Source
/// protobuf's JSON form of `google.protobuf.Duration`.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use keyseal::kms::scaleway::Seconds;
///
/// let month: Seconds = "2592000.000000000s".parse()?;
/// assert_eq!(month.duration(), Duration::from_secs(30 * 86_400));
/// assert_eq!(month.to_string(), "2592000s");
/// # Ok::<(), keyseal::KmsError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(Duration);

impl Seconds {
    /// Returns the duration as a type of the standard library.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Reads seconds with up to nine decimals.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let number = text.strip_suffix('s')?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if !is_digits(whole) || !is_fraction(fraction) {
            return None;
        }
        let nanos = format!("{fraction:0<9}").parse().ok()?;
        Some(Self(Duration::new(whole.parse().ok()?, nanos)))
    }
}

impl FromStr for Seconds {
    type Err = KmsError;

    fn from_str(text: &str) -> Result<Self, KmsError> {
        Self::parse(text).ok_or_else(|| {
            KmsError::new(KmsErrorKind::InvalidInput)
                .with_message("a duration must be seconds, such as 2592000s or 0.5s")
        })
    }
}

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        let all = format!("{nanos:09}");
        match all.get(..decimals(nanos)) {
            None | Some("") => write!(f, "{seconds}s"),
            Some(fraction) => write!(f, "{seconds}.{fraction}s"),
        }
    }
}

/// Returns how many decimals protobuf's JSON writes: the fewest of 0, 3, 6 and 9 that are exact.
const fn decimals(nanos: u32) -> usize {
    match nanos {
        0 => 0,
        nanos if nanos.is_multiple_of(1_000_000) => 3,
        nanos if nanos.is_multiple_of(1_000) => 6,
        _ => 9,
    }
}

/// Returns whether `text` has a digit wherever `shape` has one. RFC 3339 takes `t` and a space for
/// the `T`.
fn is_shaped(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|pair| match pair {
            (byte, b'0') => byte.is_ascii_digit(),
            (byte, b'T') => matches!(byte, b'T' | b't' | b' '),
            (byte, separator) => byte == separator,
        })
}

fn is_fraction(text: &str) -> bool {
    is_digits(text) && text.len() <= 9
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_known_times() {
        for (text, secs, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2000-02-29T23:59:59Z", 951_868_799, 0),
            ("2026-07-07T07:46:06.350936Z", 1_783_410_366, 350_936_000),
            ("2026-07-07T07:46:08.576401298Z", 1_783_410_368, 576_401_298),
            ("2100-03-01T00:00:00Z", 4_107_542_400, 0),
        ] {
            let time: Timestamp = text.parse().expect(text);
            let wanted = SystemTime::UNIX_EPOCH + Duration::new(secs, nanos);
            assert_eq!(time.system_time(), wanted, "{text}");
            assert_eq!(Timestamp::from(wanted).to_string(), text);
        }
    }

    #[test]
    fn prints_utc_with_the_fewest_decimals_that_lose_nothing() {
        for (input, wanted) in [
            ("2026-07-07T07:46:06.404700Z", "2026-07-07T07:46:06.404700Z"),
            ("2026-07-07T07:46:08.5Z", "2026-07-07T07:46:08.500Z"),
            ("2026-07-07T07:46:08.000000Z", "2026-07-07T07:46:08Z"),
            ("2026-07-07T09:46:08+02:00", "2026-07-07T07:46:08Z"),
            ("2026-07-06T21:46:08.25-10:00", "2026-07-07T07:46:08.250Z"),
            ("2026-07-08T07:45:08+23:59", "2026-07-07T07:46:08Z"),
            ("2024-02-29t00:00:00z", "2024-02-29T00:00:00Z"),
            ("2024-02-29 00:00:00Z", "2024-02-29T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            (
                "9999-12-31T23:59:59.999999999Z",
                "9999-12-31T23:59:59.999999999Z",
            ),
        ] {
            let time: Timestamp = input.parse().expect(input);
            assert_eq!(time.to_string(), wanted);
            assert_eq!(wanted.parse::<Timestamp>().expect(wanted), time);
        }
    }

    #[test]
    fn refuses_all_but_rfc_3339() {
        for bad in [
            "",
            "2026-07-07",
            "2026-07-07T07:46:06",
            "2026-07-07T07:46Z",
            "20260707T074606Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T07:46:06Z",
            "2026-13-01T00:00:00Z",
            "2026-00-07T07:46:06Z",
            "2026-07-07T24:00:00Z",
            "2026-07-07T07:60:00Z",
            "2026-07-07T07:46:60Z",
            "2026-07-07T07:46:06.Z",
            "2026-07-07T07:46:06,5Z",
            "2026-07-07T07:46:06.1234567890Z",
            "2026-07-07T07:46:06+2:00",
            "2026-07-07T07:46:06+0200",
            "2026-07-07T07:46:06+02",
            "2026-07-07T07:46:06+24:00",
            "2026-07-07T07:46:06+02:60",
            "2026-07-07T07:46:06+02:00:00",
            "2026-07-07T07:46:06Z[UTC]",
            "2026-7-07T07:46:06Z",
            "2026-07-07T07:46:06Zé",
            "2026-07-07T07:46:0éZ",
            "+026-07-07T07:46:06Z",
            "-000001-07-07T07:46:06Z",
            "0000-12-31T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn system_times_convert_on_both_sides_of_1970_and_saturate() {
        for (time, wanted) in [
            (SystemTime::UNIX_EPOCH, "1970-01-01T00:00:00Z"),
            (
                SystemTime::UNIX_EPOCH + Duration::from_nanos(1),
                "1970-01-01T00:00:00.000000001Z",
            ),
            (
                SystemTime::UNIX_EPOCH - Duration::from_millis(1),
                "1969-12-31T23:59:59.999Z",
            ),
        ] {
            assert_eq!(Timestamp::from(time).to_string(), wanted);
            assert_eq!(Timestamp::from(time).system_time(), time);
        }
        let far = Duration::from_secs(400_000_000_000);
        let after = Timestamp::from(SystemTime::UNIX_EPOCH + far);
        assert_eq!(after, Timestamp::MAX);
        assert_eq!(after.saturating_add(Duration::MAX), Timestamp::MAX);
        let before = Timestamp::from(SystemTime::UNIX_EPOCH - far);
        assert_eq!(before, Timestamp::MIN);
    }

    #[test]
    fn microseconds_are_rounded_down() {
        for (exact, wanted) in [
            (
                "2026-07-07T07:46:08.576401298Z",
                "2026-07-07T07:46:08.576401Z",
            ),
            (
                "1969-12-31T23:59:59.999999999Z",
                "1969-12-31T23:59:59.999999Z",
            ),
        ] {
            let exact: Timestamp = exact.parse().expect(exact);
            assert_eq!(exact.to_microseconds().to_string(), wanted);
        }
    }

    #[test]
    fn reads_every_form_of_a_duration_and_prints_the_shortest() {
        for (text, duration, printed) in [
            ("2592000s", Duration::from_secs(2_592_000), "2592000s"),
            (
                "2592000.000000000s",
                Duration::from_secs(2_592_000),
                "2592000s",
            ),
            ("0s", Duration::ZERO, "0s"),
            ("0.5s", Duration::from_millis(500), "0.500s"),
            ("1.000001s", Duration::from_micros(1_000_001), "1.000001s"),
            ("1.000000001s", Duration::new(1, 1), "1.000000001s"),
        ] {
            let read: Seconds = text.parse().expect(text);
            assert_eq!(read, Seconds(duration));
            assert_eq!(read.to_string(), printed);
        }
        for bad in [
            "",
            "s",
            "1",
            "-1s",
            "+1s",
            ".5s",
            "1.s",
            "1.0000000000s",
            "1ss",
            "1m",
            "1e3s",
            "18446744073709551616s",
        ] {
            assert!(bad.parse::<Seconds>().is_err(), "{bad}");
        }
    }
}
