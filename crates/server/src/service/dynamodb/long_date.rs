//! Times as the service writes them into the sentences of its errors.

use chrono::DateTime;

/// A time as the service spells it out in sentences; `millis` are those since the Unix epoch.
pub fn long_date(millis: i64) -> String {
    let date = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    date.format("%A, %B %-d, %Y at %-I:%M:%S %p Coordinated Universal Time").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_spelt_out_as_by_the_service() {
        for (seconds, text) in [
            (1_791_501_648, "Thursday, October 8, 2026 at 11:20:48 PM Coordinated Universal Time"),
            (1_791_504_000, "Friday, October 9, 2026 at 12:00:00 AM Coordinated Universal Time"),
            (0, "Thursday, January 1, 1970 at 12:00:00 AM Coordinated Universal Time"),
            (951_782_399, "Monday, February 28, 2000 at 11:59:59 PM Coordinated Universal Time"),
            (951_825_600, "Tuesday, February 29, 2000 at 12:00:00 PM Coordinated Universal Time"),
            (4_102_444_799, "Thursday, December 31, 2099 at 11:59:59 PM Coordinated Universal Time"),
        ] {
            assert_eq!(long_date(seconds * 1000), text);
        }
    }
}
