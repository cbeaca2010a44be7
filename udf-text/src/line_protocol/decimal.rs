//! Parses numbers of a line.

/// The value of a field.
pub(super) enum Number {
    Float(f64),
    Int(i64),
}

/// Up to this one, all integers are floats too.
const EXACT: u64 = 1 << 53;

/// The powers of ten that are floats exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// So many digits always fit 64 bits.
const FITTING: usize = 19;

/// Parses the number at the start of `text`, up to a comma, a blank or the end. Returns its value
/// and its length.
///
/// Returns none for anything else, and for a number that does not fit its type.
#[inline]
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
    let digits = point - start + behind_point;
    if digits == 0 {
        return None;
    }
    // Both are floats exactly, so their quotient is the nearest float.
    if digits <= FITTING && mantissa <= EXACT && behind_point < POWERS.len() {
        let value = mantissa as f64 / POWERS[behind_point];
        return Some((Number::Float(if is_negative { -value } else { value }), end));
    }
    float(&text[..end]).map(|value| (Number::Float(value), end))
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

/// Appends the digits at `at` to a value. The value is unusable behind more than [`FITTING`] digits.
#[inline(always)]
fn digits(bytes: &[u8], mut at: usize, mut value: u64) -> (u64, usize) {
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|d| *d < 10) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (value, at)
}

/// Parses a number with an exponent.
#[cold]
fn unusual(text: &str) -> Option<(Number, usize)> {
    let end = text.bytes().position(|byte| matches!(byte, b',' | b' ')).unwrap_or(text.len());
    let text = &text[..end];
    // Rust would also take `inf` and `NaN`.
    let is_numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let value = float(text).filter(|_| text.bytes().all(is_numeric))?;
    Some((Number::Float(value), end))
}

fn float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}
