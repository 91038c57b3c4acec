//! Reading a number from its text.

use super::{DIGITS_MAX, MAGNITUDE_MAX, MAGNITUDE_MIN, Number, NumberError, POWERS_OF_TEN};

/// What [`Number::parse`] answers.
pub(super) fn parse(text: &str) -> Result<Number, NumberError> {
    if text.is_empty() {
        return Err(NumberError::Empty);
    }
    let parts = Parts::read(text.as_bytes()).ok_or_else(|| NumberError::NotNumeric(text.into()))?;
    parts.into_number()
}

/// What [`Number::older_refusal`] answers.
pub(super) fn older_refusal(text: &str) -> Option<NumberError> {
    let parts = Parts::read(text.as_bytes())?;
    let lowest = parts.lowest();
    if i32::try_from(parts.exponent).is_err() || i32::try_from(-lowest).is_err() {
        return Some(NumberError::NotNumeric(text.into()));
    }
    // The digits before the decimal point, which are counted as far as 32 bits go.
    let whole_digits = parts.highest() + 1;
    (whole_digits > i64::from(i32::MAX)).then_some(NumberError::Underflow)
}

/// A number's text taken apart, its zeros at both ends set aside.
#[derive(Default)]
struct Parts {
    negative: bool,
    /// The significant digits as one number, while there are no more than 38.
    digits: u128,
    /// How many digits there are from the first that is not zero to the last that is not.
    digit_count: u64,
    /// Zeros after the last digit counted.
    trailing_zeros: u64,
    /// Digits after the decimal point, zeros included.
    fraction_digits: u64,
    exponent: i64,
}

impl Parts {
    fn read(text: &[u8]) -> Option<Parts> {
        let mut parts = Parts::default();
        let mut rest = text;
        if let [sign @ (b'+' | b'-'), tail @ ..] = rest {
            parts.negative = *sign == b'-';
            rest = tail;
        }
        let mut digit_seen = false;
        let mut point_seen = false;
        while let [byte, tail @ ..] = rest {
            match byte {
                b'0'..=b'9' => {
                    digit_seen = true;
                    parts.fraction_digits += u64::from(point_seen);
                    parts.push(byte - b'0');
                }
                b'.' if !point_seen => point_seen = true,
                b'e' | b'E' if digit_seen => {
                    parts.exponent = exponent(tail)?;
                    return Some(parts);
                }
                _ => return None,
            }
            rest = tail;
        }
        digit_seen.then_some(parts)
    }

    fn push(&mut self, digit: u8) {
        if digit == 0 {
            self.trailing_zeros += u64::from(self.digit_count > 0);
            return;
        }
        let shift = self.trailing_zeros + 1;
        self.digit_count += shift;
        self.trailing_zeros = 0;
        // Beyond 38 digits only their count matters, for the error.
        if self.digit_count <= u64::from(DIGITS_MAX) {
            self.digits = self.digits * POWERS_OF_TEN[shift as usize] + u128::from(digit);
        }
    }

    /// The place of the last digit. No text is so long that these counts do not fit, and the exponent was clamped.
    fn lowest(&self) -> i64 {
        self.exponent - self.fraction_digits as i64
    }

    /// The place of the first digit.
    fn highest(&self) -> i64 {
        // The service looks at the place of a zero's last digit as if it were
        // a digit: 0e126 overflows and 0.0e126 does not.
        match self.digit_count {
            0 => self.lowest(),
            count => self.lowest() + (count + self.trailing_zeros) as i64 - 1,
        }
    }

    fn into_number(self) -> Result<Number, NumberError> {
        let (lowest, highest) = (self.lowest(), self.highest());
        if highest > i64::from(MAGNITUDE_MAX) {
            return Err(NumberError::Overflow);
        }
        if highest < i64::from(MAGNITUDE_MIN) {
            return Err(NumberError::Underflow);
        }
        if self.digit_count > u64::from(DIGITS_MAX) {
            return Err(NumberError::TooManyDigits);
        }
        if self.digit_count == 0 {
            return Ok(Number::ZERO);
        }
        Ok(Number {
            negative: self.negative,
            digits: self.digits,
            exponent: (lowest + self.trailing_zeros as i64) as i16,
        })
    }
}

/// The exponent after its `e`, if it fits 64 bits; clamped far outside of what a number can have, for no text within the
/// request limit brings it back into range.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits
        .iter()
        .fold(0i128, |value, digit| (value * 10 + i128::from(digit - b'0')).min(i128::from(u64::MAX)));
    let exponent = i64::try_from(if negative { -magnitude } else { magnitude }).ok()?;
    Some(exponent.clamp(-EXPONENT_CLAMP, EXPONENT_CLAMP))
}

const EXPONENT_CLAMP: i64 = 1 << 40;
