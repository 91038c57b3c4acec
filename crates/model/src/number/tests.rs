#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

/// What the service was measured to give back for what was written.
#[test]
fn text_comes_back_in_plain_notation() {
    let zeros = |count: usize| "0".repeat(count);
    let cases = [
        ("0", "0"),
        ("-0.0", "0"),
        ("0e-5", "0"),
        ("0.0e126", "0"),
        ("007", "7"),
        ("+3", "3"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1.10", "1.1"),
        ("100.000", "100"),
        ("1E+3", "1000"),
        ("-3e2", "-300"),
        ("123e-2", "1.23"),
        ("1.23e-1", "0.123"),
        ("-273.15", "-273.15"),
        ("-0015.789e6", "-15789000"),
        ("0.1e126", &format!("1{}", zeros(125))),
        ("0001.000e-130", &format!("0.{}1", zeros(129))),
        ("-0009.99999999999999999999999999999999999990000e125", &format!("-{}{}", "9".repeat(38), zeros(88))),
        ("-00001.23456789012345678901234567890123456780000", "-1.2345678901234567890123456789012345678"),
    ];
    for (given, expected) in cases {
        assert_eq!(number(given).to_string(), expected, "{given}");
    }
}
