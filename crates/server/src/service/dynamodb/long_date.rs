//! Times as the service writes them into the sentences of its errors.

/// A time as the service spells it out in sentences.
pub fn long_date(millis: i64) -> String {
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let days = millis.div_euclid(DAY_MILLIS);
    let second_of_day = millis.rem_euclid(DAY_MILLIS) / 1000;
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let (year, month, day) = date_of(days);
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    // The first of January 1970 was a Thursday.
    let weekday = DAYS[usize::try_from(days.rem_euclid(7)).unwrap_or_default()];
    format!(
        "{weekday}, {} {day}, {year} at {hour}:{minute:02}:{second:02} {half} Coordinated Universal Time",
        MONTHS[month - 1]
    )
}

// The year, month (1 to 12) and day of a number of days since the Unix epoch.
fn date_of(days: i64) -> (i64, usize, i64) {
    let mut year = 1970 + days.div_euclid(366);
    let first_day = |year: i64| {
        let before = year - 1;
        365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 477
    };
    while first_day(year + 1) <= days {
        year += 1;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut day = days - first_day(year);
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    (year, month + 1, day + 1)
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

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
