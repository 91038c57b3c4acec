//! DynamoDB's numbers: decimal, 38 significant digits, exact.

/// A decimal number of at most 38 significant digits, from 1E-130 to
/// 9.99...E+125 in magnitude, or zero. Kept normalised, so equality is by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    // value = sign * digits * 10^exponent; digits has no trailing zero unless it is 0.
    negative: bool,
    digits: u128,
    exponent: i16,
}
