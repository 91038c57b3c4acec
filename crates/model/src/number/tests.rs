#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;
use crate::attribute::arbitrary;

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

#[test]
fn what_is_no_number_is_named() {
    assert_eq!(Number::parse(""), Err(NumberError::Empty));
    for text in [
        "b",
        "NaN",
        "Infinity",
        "-Infinity",
        "dog",
        " 1",
        "1 ",
        "+",
        "-",
        ".",
        "-.",
        "--1",
        "1.2.3",
        "e5",
        "1e",
        "1e+",
        "1e1.5",
        "1_000",
        "0x10",
        "1,5",
        "\u{661}",
        // The exponent must fit 64 bits.
        "1e9223372036854775808",
        "1e-9223372036854775809",
        "1e-99999999999999999999999999",
        "1e99999999999999999999999999",
    ] {
        assert_eq!(
            Number::parse(text).unwrap_err().to_string(),
            format!("The parameter cannot be converted to a numeric value: {text}")
        );
    }
}

/// Texts that were sent as parameters of PartiQL in October 2026, and what follows from Java's rules.
#[test]
fn the_older_checks_count_exponents_in_32_bits() {
    for text in [
        "1e99999999999",
        "-1e99999999999",
        "1e-99999999999",
        "1e2147483648",
        "1e-2147483648",
        "1.5e-2147483647",
    ] {
        assert_eq!(Number::older_refusal(text), Some(NumberError::NotNumeric(text.into())), "{text}");
    }
    for text in ["1e2147483647", "123e2147483645", "0e2147483647"] {
        assert_eq!(Number::older_refusal(text), Some(NumberError::Underflow), "{text}");
    }
    for text in ["1e2147483646", "1.5e2147483646", "1e-2147483647", "1e126", "1", "", "abc"] {
        assert_eq!(Number::older_refusal(text), None, "{text}");
    }
}

#[test]
fn digits_and_magnitude_are_limited_as_on_the_service() {
    use NumberError::{Overflow, TooManyDigits, Underflow};
    let cases = [
        ("123456789012345678901234567890123456789", TooManyDigits),
        ("-1.23456789012345678901234567890123456789", TooManyDigits),
        ("314159265358979323846264338327950288419e30", TooManyDigits),
        ("100000000000000000000000000000000000001", TooManyDigits),
        ("1e126", Overflow),
        ("-1e126", Overflow),
        ("11e125", Overflow),
        ("1.0e100000000", Overflow),
        // Zeros are refused by the place of their last digit.
        ("0e126", Overflow),
        ("0.00e128", Overflow),
        ("0e-131", Underflow),
        ("1e-131", Underflow),
        ("0.9e-130", Underflow),
        ("-1e-131", Underflow),
        ("1e-9223372036854775808", Underflow),
        ("1e000000000000000000009223372036854775807", Overflow),
    ];
    for (text, error) in cases {
        assert_eq!(Number::parse(text), Err(error), "{text}");
    }
    assert_eq!(number("9.99999999e125").magnitude(), MAGNITUDE_MAX);
    assert_eq!(number("1.5e-130").magnitude(), MAGNITUDE_MIN);
}

/// A request of 16 MB can hold numbers of a million digits; each takes one
/// pass over its text, and its exponent no time at all.
#[test]
fn a_million_digits_take_one_pass() {
    let million = 1_000_000;
    let started = std::time::Instant::now();
    let zeros = "0".repeat(million);
    let ones = "1".repeat(million);
    assert_eq!(Number::parse(&zeros), Ok(Number::ZERO));
    assert_eq!(number(&format!("{zeros}7")), Number::from(7));
    assert_eq!(number(&format!("7.{zeros}")), Number::from(7));
    assert_eq!(number(&format!("0.{zeros}7e{}", million + 1)), Number::from(7));
    assert_eq!(number(&format!("7{zeros}e-{million}")), Number::from(7));
    assert_eq!(Number::parse(&ones), Err(NumberError::Overflow));
    assert_eq!(Number::parse(&format!("0.{zeros}7")), Err(NumberError::Underflow));
    assert_eq!(Number::parse(&format!("1.{ones}")), Err(NumberError::TooManyDigits));
    assert!(matches!(Number::parse(&format!("1e{ones}")), Err(NumberError::NotNumeric(_))));
    assert_eq!(number(&format!("1e-{zeros}")), Number::from(1));
    assert!(Number::parse(&format!("{ones}x")).is_err());
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn sums_are_exact_or_refused() {
    let sum = |a: &str, b: &str| number(a).add(number(b)).map(|sum| sum.to_string());
    let difference = |a: &str, b: &str| number(a).sub(number(b)).map(|sum| sum.to_string());
    assert_eq!(sum("1", "10000000000000000000000").unwrap(), "10000000000000000000001");
    assert_eq!(difference("10000000000000000000000", "1").unwrap(), "9999999999999999999999");
    assert_eq!(difference("1e38", "1").unwrap(), "9".repeat(38));
    assert_eq!(sum("0.1", "0.2").unwrap(), "0.3");
    assert_eq!(sum("-5", "5").unwrap(), "0");
    assert_eq!(sum("9e125", "9e124").unwrap(), number("9.9e125").to_string());
    assert_eq!(sum("9e125", "9e125"), Err(NumberError::Overflow));
    assert_eq!(difference("9e125", "-9e125"), Err(NumberError::Overflow));
    assert_eq!(sum("1e50", "1"), Err(NumberError::Overflow));
    assert_eq!(difference("1e50", "1"), Err(NumberError::Overflow));
    assert_eq!(sum("1e125", "1e-130"), Err(NumberError::Overflow));
    assert_eq!(difference("1.1e-130", "1e-130"), Err(NumberError::Underflow));
}

#[test]
fn integers_go_in_and_out() {
    for value in [0, 1, -1, 1000, i64::MAX, i64::MIN] {
        assert_eq!(Number::from(value).to_string(), value.to_string());
        assert_eq!(Number::from(value).to_i64(), Some(value));
    }
    assert_eq!(Number::from(u64::MAX).to_string(), u64::MAX.to_string());
    assert_eq!(Number::from(u64::MAX).to_i64(), None);
    assert_eq!(number("1.5").to_i64(), None);
    assert_eq!(number("1e38").to_i64(), None);
    assert_eq!(number("1e125").to_i64(), None);
    assert_eq!(Number::default(), Number::ZERO);
}

/// The bytes of the page on key layout.
#[test]
fn the_ordered_encoding_is_the_documented_one() {
    let encoded = |text: &str| {
        let mut out = Vec::new();
        number(text).encode_ordered(&mut out);
        out
    };
    assert_eq!(encoded("0"), [0x02]);
    assert_eq!(encoded("-12"), [0x01, 0x7c, 0xf2, 0xff]);
    assert_eq!(encoded("12.3"), [0x03, 0x83, 0x0d, 0x1f, 0x00]);
    assert_eq!(encoded(&"9".repeat(38)).len(), 22);
}

/// A number as a schoolbook would hold it: a sign and all the digits between
/// 10^130 and 10^-170, most significant first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Schoolbook {
    negative: bool,
    digits: Vec<u8>,
}

const PLACES: usize = 301;
const ONES_PLACE: usize = 130;

impl Schoolbook {
    fn of(number: Number) -> Schoolbook {
        let text = number.to_string();
        let unsigned = text.trim_start_matches('-');
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let mut digits = vec![0; PLACES];
        let first = ONES_PLACE + 1 - whole.len();
        for (index, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
            digits[first + index] = digit - b'0';
        }
        Schoolbook { negative: text.starts_with('-'), digits }
    }

    fn add(&self, other: &Schoolbook) -> Schoolbook {
        if self.negative == other.negative {
            let mut digits = vec![0; PLACES];
            let mut carry = 0;
            for place in (0..PLACES).rev() {
                let sum = self.digits[place] + other.digits[place] + carry;
                digits[place] = sum % 10;
                carry = sum / 10;
            }
            return Schoolbook { negative: self.negative, digits };
        }
        let (larger, smaller) = if self.digits >= other.digits { (self, other) } else { (other, self) };
        let mut digits = vec![0; PLACES];
        let mut borrow = 0;
        for place in (0..PLACES).rev() {
            let taken = smaller.digits[place] + borrow;
            borrow = u8::from(larger.digits[place] < taken);
            digits[place] = larger.digits[place] + 10 * borrow - taken;
        }
        Schoolbook { negative: larger.negative, digits }
    }

    /// The number, if the service could store it.
    fn number(&self) -> Result<Number, NumberError> {
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let sign = if self.negative { "-" } else { "" };
        let fraction_digits = PLACES - 1 - ONES_PLACE;
        // A zero of 170 decimal places would be refused for those.
        if self.digits.iter().all(|digit| *digit == 0) {
            return Ok(Number::ZERO);
        }
        Number::parse(&format!("{sign}{digits}e-{fraction_digits}"))
    }

    fn cmp(&self, other: &Schoolbook) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.digits.cmp(&other.digits),
            (true, true) => other.digits.cmp(&self.digits),
        }
    }
}

proptest! {
    #[test]
    fn printed_numbers_read_back(number in arbitrary::number()) {
        prop_assert_eq!(Number::parse(&number.to_string()), Ok(number));
        prop_assert_eq!(Schoolbook::of(number).number(), Ok(number));
    }

    #[test]
    fn sums_and_order_agree_with_the_schoolbook(a in arbitrary::number(), b in arbitrary::number()) {
        let expected = Schoolbook::of(a).add(&Schoolbook::of(b)).number().map_err(|error| match error {
            NumberError::TooManyDigits => NumberError::Overflow,
            other => other,
        });
        prop_assert_eq!(a.add(b), expected);
        prop_assert_eq!(a.cmp(&b), Schoolbook::of(a).cmp(&Schoolbook::of(b)));
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
        prop_assert_eq!(a.sub(a), Ok(Number::ZERO));
        if let Ok(sum) = a.add(b) {
            prop_assert_eq!(sum.sub(b), Ok(a));
        }
    }

    #[test]
    fn ordered_bytes_are_in_the_order_of_the_numbers(a in arbitrary::number(), b in arbitrary::number()) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        a.encode_ordered(&mut first);
        b.encode_ordered(&mut second);
        prop_assert_eq!(first.cmp(&second), a.cmp(&b));
        prop_assert!(first.len() <= 22);
        let length = first.len();
        first.extend_from_slice(&second);
        prop_assert_eq!(Number::decode_ordered(&first), Some((a, length)));
        prop_assert_eq!(Number::decode_ordered(&second[..second.len() - 1]), None);
    }

    #[test]
    fn ordered_bytes_have_one_form(bytes in prop::collection::vec(prop_oneof![0..4u8, any::<u8>(), Just(0xff)], 0..24)) {
        if let Some((number, length)) = Number::decode_ordered(&bytes) {
            let mut encoded = Vec::new();
            number.encode_ordered(&mut encoded);
            prop_assert_eq!(&encoded, &bytes[..length]);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+0-9.eE]{0,12}|\\PC{0,8}") {
        if let Ok(number) = Number::parse(&text) {
            prop_assert_eq!(Number::parse(&number.to_string()), Ok(number));
        }
    }
}
