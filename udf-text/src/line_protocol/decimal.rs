//! Parses numbers of a line.

use super::words::digits;

/// The value of a field.
pub(super) enum Number {
    Float(f64),
    Int(i64),
}

/// Up to this one, all integers are floats too.
const EXACT: u64 = 1 << 53;

/// The powers of ten that are floats exactly.
const POWERS: [f64; FITTING + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19,
];

/// So many digits always fit 64 bits. The value of more digits is unusable.
const FITTING: usize = 19;

/// Parses the number at the start of `text`, up to a comma, a blank or the end. Returns its value
/// and its length.
///
/// Returns none for anything else, and for a number that does not fit its type.
#[inline(always)]
pub(super) fn number(text: &str) -> Option<(Number, usize)> {
    let bytes = text.as_bytes();
    let is_negative = bytes.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let (whole, point) = digits(bytes, start, 0);
    let (mantissa, end) = match bytes.get(point) {
        Some(b'.') => digits(bytes, point + 1, whole),
        _ => (whole, point),
    };
    match bytes.get(end) {
        None | Some(b',' | b' ') => {}
        Some(unit @ (b'i' | b'u')) if end == point => {
            let is_unfit = is_negative && *unit == b'u';
            let value = integer(is_negative, whole, point - start).filter(|_| !is_unfit)?;
            return Some((Number::Int(value), end + 1));
        }
        Some(_) => return unusual(text),
    }
    let behind_point = (end - point).saturating_sub(1);
    let count = point - start + behind_point;
    if count == 0 {
        return None;
    }
    if count <= FITTING
        && let Some(value) = quotient(mantissa, behind_point)
    {
        return Some((Number::Float(if is_negative { -value } else { value }), end));
    }
    float(&text[..end]).map(|value| (Number::Float(value), end))
}

/// Returns the float that is nearest to `mantissa / 10^exponent`; none if that is hard to tell.
#[inline(always)]
fn quotient(mantissa: u64, exponent: usize) -> Option<f64> {
    if mantissa <= EXACT || exponent == 0 {
        // Rounded once: by the division of two exact floats, or before the division by 1.
        return Some(mantissa as f64 / POWERS[exponent]);
    }
    let Reciprocal { scaled, shift } = RECIPROCALS[exponent];
    let zeros = mantissa.leading_zeros();
    let mantissa = u128::from(mantissa << zeros);
    // The upper 128 of 192 bits. The exact product is less than 2^64 smaller, because the reciprocal
    // is less than 1 too large: it differs from these bits by less than 1.
    let product = mantissa * (scaled >> 64) + ((mantissa * (scaled & u128::from(u64::MAX))) >> 64);
    let (upper, lower) = ((product >> 64) as u64, product as u64);
    if lower == 0 {
        return None;
    }
    // The exact quotient is between `upper` and the next integer, at neither. The lowest bit keeps
    // that for the rounding: `upper` has 62 bits or more, and a float 53.
    let power = 1023 - shift - u64::from(zeros);
    Some((upper | 1) as f64 * f64::from_bits(power << 52))
}

/// The reciprocal of a power of ten.
#[derive(Clone, Copy)]
struct Reciprocal {
    /// The reciprocal of the power of five, scaled to 128 bits and rounded up.
    scaled: u128,
    /// The upper 64 bits of a product with `scaled` are too large by this power of two.
    shift: u64,
}

const RECIPROCALS: [Reciprocal; FITTING + 1] = {
    let mut all = [Reciprocal { scaled: 0, shift: 0 }; FITTING + 1];
    let mut exponent = 0;
    while exponent < all.len() {
        all[exponent] = reciprocal(exponent as u32);
        exponent += 1;
    }
    all
};

const fn reciprocal(exponent: u32) -> Reciprocal {
    let divisor = 5_u128.pow(exponent);
    // 2^bits / divisor has 128 bits.
    let bits = 127 + (128 - divisor.leading_zeros());
    let (mut quotient, mut rest, mut bit) = (0, 1, 0);
    while bit < bits {
        rest <<= 1;
        quotient = quotient << 1 | (rest >= divisor) as u128;
        rest %= divisor;
        bit += 1;
    }
    Reciprocal { scaled: quotient + 1, shift: (bits - 128 + exponent) as u64 }
}

/// Parses a whole text of digits, with or without a minus sign.
pub(super) fn whole(text: &[u8]) -> Option<i64> {
    let is_negative = text.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let (value, end) = digits(text, start, 0);
    integer(is_negative, value, end - start).filter(|_| end == text.len())
}

/// Returns an integer of this many digits, if it fits.
#[inline(always)]
fn integer(is_negative: bool, value: u64, digits: usize) -> Option<i64> {
    if !(1..=FITTING).contains(&digits) {
        return None;
    }
    if is_negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Parses a number with an exponent.
#[cold]
fn unusual(text: &str) -> Option<(Number, usize)> {
    let end = text.bytes().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(text.len());
    float(&text[..end]).map(|value| (Number::Float(value), end))
}

/// Parses a number as std does, except for `inf` and `NaN`.
fn float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_rounded_as_std_does() {
        let mut random = 1_u64;
        for round in 0..100_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // 15 to 19 digits, with the point anywhere.
            let digits = (random >> 1) / 10_u64.pow(round % 5);
            let mut text = format!("{digits:019}");
            text.insert(round as usize / 5 % 20, '.');
            let expected: f64 = text.parse().expect("digits and a point are a float");
            let Some((Number::Float(value), length)) = number(&text) else { panic!("{text}") };
            assert_eq!((value.to_bits(), length), (expected.to_bits(), 20), "{text}");
        }
    }
}
