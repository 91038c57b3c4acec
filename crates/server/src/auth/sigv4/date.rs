//! Dates as signatures write them: ISO 8601 basic format, `20150830T123600Z`.

use chrono::{DateTime, NaiveDate, Utc};

/// Milliseconds since the epoch of a date in basic format.
pub(in crate::auth) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_u32, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(4, 6)?, number(6, 8)?)?;
    let time = day.and_hms_opt(number(9, 11)?, number(11, 13)?, number(13, 15)?)?;
    Some(time.and_utc().timestamp_millis())
}

/// A date in basic format, to the second.
pub(in crate::auth) fn format(millis: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default().format("%Y%m%dT%H%M%SZ").to_string()
}

/// The date of an HTTP `Date` header in basic format, whichever of the two forms it has.
pub(in crate::auth) fn from_http(text: &str) -> Option<String> {
    if parse(text).is_some() {
        return Some(text.to_owned());
    }
    Some(format(DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_both_ways() {
        assert_eq!(parse("20150830T123600Z"), Some(1_440_938_160_000));
        assert_eq!(format(1_440_938_160_999), "20150830T123600Z");
        assert_eq!(from_http("Sun, 30 Aug 2015 12:36:00 GMT").as_deref(), Some("20150830T123600Z"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "201",
            "20150830T123600",
            "20150830 123600Z",
            "20151330T123600Z",
            "2015083aT123600Z",
            "20150830T246000Z",
            "é0150830T12360Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
