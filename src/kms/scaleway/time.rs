//! [`Timestamp`], and the service's notation for durations.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use crate::error::{KmsError, KmsErrorKind};

const SECS_PER_DAY: i64 = 86_400;

/// A point in time in the service's notation: RFC 3339, such as `2026-07-07T07:46:06.350936Z`.
///
/// The text is kept unchanged, with all its digits.
///
/// # Example
/// ```
/// use std::time::{Duration, SystemTime};
/// use keyseal::kms::scaleway::Timestamp;
///
/// let time: Timestamp = "2001-09-09T01:46:40Z".parse()?;
/// assert_eq!(time.system_time(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
/// assert_eq!(Timestamp::from(time.system_time()), time);
/// # Ok::<(), keyseal::KmsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    text: String,
    time: SystemTime,
}

impl Timestamp {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the time as a type of the standard library.
    #[must_use]
    pub const fn system_time(&self) -> SystemTime {
        self.time
    }
}

impl FromStr for Timestamp {
    type Err = KmsError;

    fn from_str(text: &str) -> Result<Self, KmsError> {
        let time = parse(text).ok_or_else(|| {
            KmsError::new(KmsErrorKind::InvalidInput)
                .with_message("a time must be RFC 3339, such as 2026-07-07T07:46:06Z")
        })?;
        Ok(Self {
            text: text.to_owned(),
            time,
        })
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self {
            text: print(time),
            time,
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Prints seconds as the service does, such as `2592000s`. A fraction has nine digits.
pub(crate) fn print_period(period: Duration) -> String {
    match period.subsec_nanos() {
        0 => format!("{}s", period.as_secs()),
        nanos => format!("{}.{nanos:09}s", period.as_secs()),
    }
}

/// Reads seconds with up to nine digits after the point, such as `2592000s` or `0.500s`.
pub(crate) fn parse_period(text: &str) -> Option<Duration> {
    let number = text.strip_suffix('s')?;
    let (secs, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !digits(secs) {
        return None;
    }
    Some(Duration::new(secs.parse().ok()?, nanos(fraction)?))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads the digits after a decimal point as billionths.
fn nanos(fraction: &str) -> Option<u32> {
    let missing = 9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    digits(fraction).then(|| {
        fraction
            .parse::<u32>()
            .ok()?
            .checked_mul(10_u32.pow(missing))
    })?
}

fn parse(text: &str) -> Option<SystemTime> {
    let number = |from: usize, to: usize| {
        text.get(from..to)
            .filter(|part| digits(part))?
            .parse::<i64>()
            .ok()
    };
    let is = |at: usize, options: &[u8]| {
        text.as_bytes()
            .get(at)
            .is_some_and(|byte| options.contains(byte))
    };
    let separated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !separated || !in_range {
        return None;
    }

    let rest = text.get(19..)?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone_at);
    let nanos = match fraction.strip_prefix('.') {
        Some(fraction) => nanos(fraction)?,
        None if fraction.is_empty() => 0,
        None => return None,
    };
    let secs =
        days_from_civil(year, month, day) * SECS_PER_DAY + hour * 3600 + minute * 60 + second
            - offset(zone)?;
    let whole = Duration::from_secs(secs.unsigned_abs());
    let time = if secs < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)?
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)?
    };
    time.checked_add(Duration::from_nanos(nanos.into()))
}

/// Reads `Z` or `±hh:mm` as seconds.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let two_digits =
        |part: &str| (part.len() == 2 && digits(part)).then(|| part.parse::<i64>().ok())?;
    Some(sign * (two_digits(hours)? * 3600 + two_digits(minutes)? * 60))
}

fn print(time: SystemTime) -> String {
    let (secs, nanos) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (
            i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            after.subsec_nanos(),
        ),
        // Rounded down to whole seconds: nobody schedules a rotation before 1970.
        Err(before) => (
            -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
            0,
        ),
    };
    let (year, month, day) = civil_from_days(secs.div_euclid(SECS_PER_DAY));
    let second = secs.rem_euclid(SECS_PER_DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = match nanos {
        0 => String::new(),
        nanos if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
        nanos if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
        nanos => format!(".{nanos:09}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts the days from 1970-01-01. Years start in March, so that the leap day is the last one.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let year_of_era = year.rem_euclid(400);
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read_and_printed() {
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
            assert_eq!(Timestamp::from(wanted).as_str(), text);
        }
    }

    #[test]
    fn offsets_and_short_fractions_are_read() {
        let utc: Timestamp = "2026-08-21T10:26:52.500Z".parse().expect("it is RFC 3339");
        for same in [
            "2026-08-21T12:26:52.5+02:00",
            "2026-08-21t04:56:52.500000-05:30",
        ] {
            let time: Timestamp = same.parse().expect(same);
            assert_eq!(time.system_time(), utc.system_time());
            assert_eq!(time.as_str(), same);
        }
    }

    #[test]
    fn every_day_of_eight_centuries_survives_the_calendar() {
        for day in -150_000..150_000 {
            let (year, month, of_month) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, of_month), day);
            assert!(of_month <= days_in_month(year, month));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "2026-07-07",
            "2026-07-07T07:46:06",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-07-07T24:00:00Z",
            "2026-07-07T07:46:06.Z",
            "2026-07-07T07:46:06.1234567890Z",
            "2026-07-07T07:46:06+2:00",
            "2026-07-07T07:46:06Zé",
            "+026-07-07T07:46:06Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn periods_are_read_in_every_form_and_printed_in_the_service_s() {
        for (text, period, printed) in [
            ("2592000s", Duration::from_secs(2_592_000), "2592000s"),
            (
                "2592000.000000000s",
                Duration::from_secs(2_592_000),
                "2592000s",
            ),
            ("0.5s", Duration::from_millis(500), "0.500000000s"),
        ] {
            assert_eq!(parse_period(text), Some(period));
            assert_eq!(print_period(period), printed);
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
        ] {
            assert_eq!(parse_period(bad), None, "{bad}");
        }
    }
}
