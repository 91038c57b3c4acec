//! DynamoDB's numbers: decimal, 38 significant digits, exact.
//!
//! A number is read from text once, at the edge, and held normalised, so
//! equality and hashing are by value: `1.0`, `1e0` and `1` are one number.
//! Nothing is ever rounded. A result that does not fit is an error, as on the
//! service, and every operation takes bounded time whatever the exponents.

mod text;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The most significant digits a number can have.
pub const DIGITS_MAX: u32 = 38;

/// The largest power of ten that a number's first digit can stand at.
pub const MAGNITUDE_MAX: i16 = 125;

/// The smallest power of ten that a number's first digit can stand at.
pub const MAGNITUDE_MIN: i16 = -130;

/// A decimal number of at most 38 significant digits, from 1E-130 to
/// 9.99...E+125 in magnitude, or zero. Kept normalised, so equality is by value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Number {
    // value = sign * digits * 10^exponent.
    // INVARIANT (normal form): digits < 10^38 and has no trailing zero; zero is
    // (false, 0, 0); the first digit's magnitude is within the two bounds above.
    negative: bool,
    digits: u128,
    exponent: i16,
}

/// Why a text is not a number, or a result cannot be one. Displays as the
/// service words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text was empty.
    #[error("The parameter cannot be converted to a numeric value")]
    Empty,
    /// The text does not have the form of a number.
    #[error("The parameter cannot be converted to a numeric value: {0}")]
    NotNumeric(String),
    /// More than 38 digits would be needed.
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooManyDigits,
    /// The magnitude is too large, or an arithmetic result is not exact in 38 digits.
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    Overflow,
    /// The magnitude is too small, yet not zero.
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number { negative: false, digits: 0, exponent: 0 };

    /// Reads a number as the service does: an optional sign, digits with an
    /// optional decimal point, an optional exponent; no blanks.
    ///
    /// Takes time in proportion to the text, whatever the exponent says.
    pub fn parse(text: &str) -> Result<Number, NumberError> {
        text::parse(text)
    }

    /// Why the service's older checks refuse a text, where it is not what [`Number::parse`] says.
    ///
    /// They read it as Java's `BigDecimal` does: an exponent must fit 32 bits, and so must the magnitude, which wraps.
    pub fn older_refusal(text: &str) -> Option<NumberError> {
        text::older_refusal(text)
    }

    /// The exact sum.
    ///
    /// The service answers `Overflow` also where the sum would need more than 38 digits.
    #[expect(
        clippy::should_implement_trait,
        reason = "a sum that can fail is better a method than an operator"
    )]
    pub fn add(self, other: Number) -> Result<Number, NumberError> {
        if self.is_zero() {
            return Ok(other);
        }
        if other.is_zero() {
            return Ok(self);
        }
        let (upper, lower) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        // Where the exponents differ, the sum ends in the lower one's last
        // digit, which is not zero: nothing can be trimmed, so a shift that
        // does not fit 128 bits cannot lead to 38 digits either.
        let shift = usize::from(upper.exponent.abs_diff(lower.exponent));
        let shifted = POWERS_OF_TEN
            .get(shift)
            .and_then(|power| upper.digits.checked_mul(*power))
            .ok_or(NumberError::Overflow)?;
        let (negative, digits) = if upper.negative == lower.negative {
            let sum = shifted.checked_add(lower.digits).ok_or(NumberError::Overflow)?;
            (upper.negative, sum)
        } else if shifted >= lower.digits {
            (upper.negative, shifted - lower.digits)
        } else {
            (lower.negative, lower.digits - shifted)
        };
        Number::normalised(negative, digits, i32::from(lower.exponent)).map_err(|error| match error {
            NumberError::TooManyDigits => NumberError::Overflow,
            other => other,
        })
    }

    /// The exact difference; errors as for [`Number::add`].
    #[expect(
        clippy::should_implement_trait,
        reason = "a difference that can fail is better a method than an operator"
    )]
    pub fn sub(self, other: Number) -> Result<Number, NumberError> {
        self.add(other.negated())
    }

    /// The same number with the other sign; zero stays zero.
    pub fn negated(self) -> Number {
        Number { negative: !self.negative && self.digits != 0, ..self }
    }

    /// Whether this is zero.
    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// Whether this is less than zero.
    pub fn is_negative(self) -> bool {
        self.negative
    }

    /// How many significant digits there are: 1 to 38, and 0 for zero.
    pub fn significant_digits(self) -> u32 {
        digit_count(self.digits)
    }

    /// The power of ten at which the first digit stands, -130 to 125; 0 for zero.
    pub fn magnitude(self) -> i16 {
        match self.significant_digits() {
            0 => 0,
            count => self.exponent + count as i16 - 1,
        }
    }

    /// The number as a whole number of 64 bits, if it is one.
    pub fn to_i64(self) -> Option<i64> {
        let power = POWERS_OF_TEN.get(usize::try_from(self.exponent).ok()?)?;
        let magnitude = i128::try_from(self.digits.checked_mul(*power)?).ok()?;
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    /// Whether the number is negative, its digits as one whole number without
    /// trailing zeros, and the power of ten at which the first digit stands.
    pub(crate) fn to_parts(self) -> (bool, u128, i16) {
        (self.negative, self.digits, self.magnitude())
    }

    /// The number that [`Number::to_parts`] took apart, or none where the
    /// parts do not belong to a number in normal form.
    pub(crate) fn from_parts(negative: bool, digits: u128, magnitude: i16) -> Option<Number> {
        if digits == 0 {
            return (!negative && magnitude == 0).then_some(Number::ZERO);
        }
        if !(MAGNITUDE_MIN..=MAGNITUDE_MAX).contains(&magnitude)
            || digits >= POWERS_OF_TEN[DIGITS_MAX as usize]
            || is_multiple_of_ten(digits)
        {
            return None;
        }
        Some(Number { negative, digits, exponent: magnitude - (digit_count(digits) as i16 - 1) })
    }

    /// Appends the text of the number, as [`fmt::Display`] gives it.
    pub fn write_text(self, out: &mut Vec<u8>) {
        if self.digits == 0 {
            out.push(b'0');
            return;
        }
        if self.negative {
            out.push(b'-');
        }
        let mut buffer = [0; DIGITS_MAX as usize];
        let digits = decimal(self.digits, &mut buffer);
        if self.exponent >= 0 {
            out.extend_from_slice(digits);
            out.resize(out.len() + self.exponent as usize, b'0');
            return;
        }
        let fraction_digits = usize::from(self.exponent.unsigned_abs());
        if fraction_digits < digits.len() {
            let (whole, fraction) = digits.split_at(digits.len() - fraction_digits);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        } else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + fraction_digits - digits.len(), b'0');
            out.extend_from_slice(digits);
        }
    }

    /// Appends an encoding whose byte order is the order of the numbers and
    /// which shows its own end: at most 22 bytes.
    ///
    /// ```text
    /// positive  0x03  magnitude + 130  (pair + 1)...  0x00
    /// zero      0x02
    /// negative  0x01, then the bytes of the positive number inverted
    /// ```
    ///
    /// A pair is two digits from the first on, the last padded with a zero.
    pub fn encode_ordered(self, out: &mut Vec<u8>) {
        if self.digits == 0 {
            out.push(ORDERED_ZERO);
            return;
        }
        let (lead, flip) = if self.negative { (ORDERED_NEGATIVE, 0xff) } else { (ORDERED_POSITIVE, 0x00) };
        let mut buffer = [0; DIGITS_MAX as usize];
        let digits = decimal(self.digits, &mut buffer);
        let magnitude = self.exponent + digits.len() as i16 - 1;
        out.push(lead);
        out.push((magnitude - MAGNITUDE_MIN) as u8 ^ flip);
        for pair in digits.chunks(2) {
            let low = pair.get(1).map_or(0, |digit| digit - b'0');
            out.push(((pair[0] - b'0') * 10 + low + 1) ^ flip);
        }
        out.push(flip);
    }

    /// Reads what [`Number::encode_ordered`] wrote at the start of `bytes`:
    /// the number and how many bytes it took. None where the bytes are not
    /// such an encoding, to the last bit: there is one encoding per number.
    pub fn decode_ordered(bytes: &[u8]) -> Option<(Number, usize)> {
        let (negative, flip) = match *bytes.first()? {
            ORDERED_ZERO => return Some((Number::ZERO, 1)),
            ORDERED_POSITIVE => (false, 0x00),
            ORDERED_NEGATIVE => (true, 0xff),
            _ => return None,
        };
        let magnitude = i16::from(*bytes.get(1)? ^ flip) + MAGNITUDE_MIN;
        let mut digits = 0u128;
        let mut length = 2;
        loop {
            let byte = *bytes.get(length)? ^ flip;
            length += 1;
            if byte == 0 {
                break;
            }
            // Nineteen pairs and the end.
            let pair = byte - 1;
            if pair > 99 || length > 21 || (length == 3 && pair < 10) {
                return None;
            }
            digits = digits * 100 + u128::from(pair);
        }
        if digits == 0 {
            return None;
        }
        if is_multiple_of_ten(digits) {
            digits /= 10;
        }
        Some((Number::from_parts(negative, digits, magnitude)?, length))
    }

    fn normalised(negative: bool, digits: u128, exponent: i32) -> Result<Number, NumberError> {
        let (mut digits, mut exponent) = (digits, exponent);
        if digits == 0 {
            return Ok(Number::ZERO);
        }
        while is_multiple_of_ten(digits) {
            digits /= 10;
            exponent += 1;
        }
        let count = digit_count(digits);
        let magnitude = exponent + count as i32 - 1;
        if magnitude > i32::from(MAGNITUDE_MAX) {
            return Err(NumberError::Overflow);
        }
        if magnitude < i32::from(MAGNITUDE_MIN) {
            return Err(NumberError::Underflow);
        }
        if count > DIGITS_MAX {
            return Err(NumberError::TooManyDigits);
        }
        Ok(Number { negative, digits, exponent: exponent as i16 })
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        let sign = |number: &Number| match (number.digits, number.negative) {
            (0, _) => 0,
            (_, false) => 1,
            (_, true) => -1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign != Ordering::Equal || self.digits == 0 {
            return by_sign;
        }
        let by_size = if self.exponent == other.exponent {
            self.digits.cmp(&other.digits)
        } else {
            let (mine, theirs) = (self.significant_digits(), other.significant_digits());
            let aligned = |digits, count| digits * POWERS_OF_TEN[(DIGITS_MAX - count) as usize];
            (self.exponent + mine as i16)
                .cmp(&(other.exponent + theirs as i16))
                .then_with(|| aligned(self.digits, mine).cmp(&aligned(other.digits, theirs)))
        };
        if self.negative { by_size.reverse() } else { by_size }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The number as the service prints it: plain decimal notation, whatever the
/// exponent, with no sign on zero and no needless zeros.
impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(48);
        self.write_text(&mut text);
        formatter.pad(std::str::from_utf8(&text).expect("digits, point and sign are ASCII"))
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Number, NumberError> {
        Number::parse(text)
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(value: $integer) -> Number {
                let value = i128::from(value);
                Number::normalised(value < 0, value.unsigned_abs(), 0)
                    .expect("an integer of 64 bits has at most 20 digits")
            }
        }
    )*};
}

from_integers!(i8, i16, i32, i64, u8, u16, u32, u64);

/// Writes `value` in decimal at the end of `buffer` and returns that end.
/// `value` is below 10^38.
fn decimal(value: u128, buffer: &mut [u8; DIGITS_MAX as usize]) -> &[u8] {
    let mut start = buffer.len();
    let mut push_all = |mut part: u64, width_min: usize| {
        let end = start;
        while part > 0 || end - start < width_min {
            start -= 1;
            buffer[start] = b'0' + (part % 10) as u8;
            part /= 10;
        }
    };
    // Divided once, because division of 128 bits is slow.
    match u64::try_from(value) {
        Ok(small) => push_all(small, 1),
        Err(_) => {
            push_all((value % HALF) as u64, HALF_DIGITS);
            push_all((value / HALF) as u64, 1);
        }
    }
    &buffer[start..]
}

fn digit_count(value: u128) -> u32 {
    match u64::try_from(value) {
        Ok(small) => small.checked_ilog10().map_or(0, |log| log + 1),
        Err(_) => value.ilog10() + 1,
    }
}

fn is_multiple_of_ten(value: u128) -> bool {
    // An odd number needs no division.
    value & 1 == 0
        && match u64::try_from(value) {
            Ok(small) => small.is_multiple_of(10),
            Err(_) => value.is_multiple_of(10),
        }
}

const ORDERED_NEGATIVE: u8 = 0x01;
const ORDERED_ZERO: u8 = 0x02;
const ORDERED_POSITIVE: u8 = 0x03;

const HALF_DIGITS: usize = 19;
const HALF: u128 = POWERS_OF_TEN[HALF_DIGITS];

/// 10^0 to 10^38, the last that fits 128 bits.
const POWERS_OF_TEN: [u128; DIGITS_MAX as usize + 1] = {
    let mut powers = [1; DIGITS_MAX as usize + 1];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

#[cfg(test)]
mod tests;
