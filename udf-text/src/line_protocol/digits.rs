//! Writes numbers into a buffer of a fixed size, without a copy.

use std::hint::select_unpredictable;
use std::io::Write as _;

/// The room for a number. Bytes behind the number have no meaning.
pub(super) const ROOM: usize = 40;

/// The most digits that always fit 64 bits.
const DIGITS: usize = 19;

/// A float of the usual range is an integer of 53 bits, divided by a power of two up to this one.
const MAX_SHIFT: usize = 63;

const E8: u64 = 100_000_000;
const E16: u64 = E8 * E8;

/// A zero in each byte.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Writes an integer. Returns its length.
#[inline(always)]
pub(super) fn int(value: i64, room: &mut [u8; ROOM]) -> Option<usize> {
    room[0] = b'-';
    whole(value.unsigned_abs(), usize::from(value < 0), room)
}

/// Writes an integer at a position. Returns its end.
#[inline(always)]
fn whole(value: u64, at: usize, room: &mut [u8; ROOM]) -> Option<usize> {
    if value < E8 {
        return first(value, at, room);
    }
    let (upper, last) = (value / E8, eight(value % E8));
    let at = if upper < E8 {
        first(upper, at, room)?
    } else {
        let at = first(upper / E8, at, room)?;
        put(eight(upper % E8) | ZEROS, at, room)?;
        at + 8
    };
    put(last | ZEROS, at, room)?;
    Some(at + 8)
}

/// Writes up to eight digits without leading zeros. Returns their end.
#[inline(always)]
fn first(value: u64, at: usize, room: &mut [u8; ROOM]) -> Option<usize> {
    let digits = eight(value);
    // At least one digit remains.
    let zeros = (digits | 1 << 63).trailing_zeros() / 8;
    put((digits | ZEROS) >> (8 * zeros), at, room)?;
    Some(at + 8 - zeros as usize)
}

#[inline(always)]
fn put(bytes: u64, at: usize, room: &mut [u8; ROOM]) -> Option<()> {
    *room.get_mut(at..)?.first_chunk_mut()? = bytes.to_le_bytes();
    Some(())
}

/// Returns the eight digits of a number below 10^8, the first one in the lowest byte.
#[inline(always)]
fn eight(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 5243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos - 10 * tens) << 8
}

/// Writes the shortest digits that read back as the same float, in the form of `{:?}`. Where two are
/// equally near, the last digit is even. Returns none for NaN and infinite floats.
#[inline(always)]
pub(super) fn float(value: f64, room: &mut [u8; ROOM]) -> Option<usize> {
    match usual_float(value, room) {
        Some(length) => Some(length),
        None => any_float(value, room),
    }
}

#[inline(never)]
fn any_float(value: f64, room: &mut [u8; ROOM]) -> Option<usize> {
    let length = room.len();
    let mut rest = &mut room[..];
    // Beyond this range, the exponent of `{:?}` has another form.
    if value == 0.0 || (1e-4..1e16).contains(&value.abs()) {
        rest.write_all(zmij::Buffer::new().format_finite(value).as_bytes()).ok()?;
    } else if value.is_finite() {
        write!(rest, "{value:?}").ok()?;
    } else {
        return None;
    }
    Some(length - rest.len())
}

/// The power of ten by which floats of one exponent are multiplied.
#[derive(Clone, Copy)]
struct Power {
    /// The smallest power of ten that is not below the power of two.
    power: u64,
    /// 10^19, divided by the power.
    rest: u64,
}

const POWERS: [Power; MAX_SHIFT + 1] = {
    let mut all = [Power { power: 1, rest: 10_u64.pow(DIGITS as u32) }; MAX_SHIFT + 1];
    let mut shift = 1;
    while shift < all.len() {
        all[shift] = all[shift - 1];
        if all[shift].power < 1 << shift {
            all[shift].power *= 10;
            all[shift].rest /= 10;
        }
        shift += 1;
    }
    all
};

/// Writes a float of the usual range, about 0.0005 to 9 * 10^15. Returns none for any other.
///
/// All numbers are exact. The float is `fraction / 2^shift`. Multiplied by the power of ten, the
/// floats next to it are more than 1 and less than 10 away. So there is a decimal integer that is
/// nearest to it, and at most one multiple of ten from which the float reads back.
#[inline(always)]
fn usual_float(value: f64, room: &mut [u8; ROOM]) -> Option<usize> {
    let bits = value.to_bits();
    let shift = 1075_u64.wrapping_sub(bits >> 52 & 0x7ff);
    let Power { power, rest } = *POWERS.get(shift as usize)?;
    let fraction = bits & ((1 << 52) - 1) | 1 << 52;
    // 64 bits before the point, and 64 behind it.
    let product = (u128::from(fraction) * u128::from(power)) << (64 - shift);
    let (integer, behind) = ((product >> 64) as u64, product as u64);
    // Halfway to the next float. It reads back as the even one of the two. The float below a power
    // of two is nearer, but all powers of two are multiples of ten here, or integers.
    let half = u128::from(power) << (63 - shift);
    let reads_back = |distance: u128| distance < half + u128::from(fraction.is_multiple_of(2));
    let digit = integer % 10;
    let below = u128::from(digit) << 64 | u128::from(behind);
    let above = (10 << 64) - below;
    let nearest = integer + u64::from(behind > 1 << 63 || behind == 1 << 63 && integer % 2 == 1);
    let ten = integer - digit + select_unpredictable(reads_back(below), 0, 10);
    let decimal = select_unpredictable(reads_back(below) | reads_back(above), ten, nearest);
    // The decimal may be the integer above the float.
    let mut before = value.abs() as u64;
    let mut behind = decimal - before * power;
    if behind == power {
        (before, behind) = (before + 1, 0);
    }
    room[0] = b'-';
    let at = whole(before, (bits >> 63) as usize, room)?;
    // Three digits, and two times eight.
    let behind = behind * rest;
    let (upper, last) = (eight(behind / E16) >> 40, eight(behind % E8));
    let middle = eight(behind / E8 % E8);
    put((upper | ZEROS) << 8 | u64::from(b'.'), at, room)?;
    put(middle | ZEROS, at + 4, room)?;
    put(last | ZEROS, at + 12, room)?;
    let zeros = match (last, middle) {
        (0, 0) => 16 + (upper << 40 | 1 << 47).leading_zeros() / 8,
        (0, _) => 8 + middle.leading_zeros() / 8,
        _ => last.leading_zeros() / 8,
    };
    Some(at + 20 - zeros as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: Option<usize>, room: &[u8; ROOM]) -> Option<&str> {
        length.map(|length| std::str::from_utf8(&room[..length]).expect("digits are text"))
    }

    #[test]
    fn integers_are_written_as_std_does() {
        let mut room = [0xff; ROOM];
        for digits in 0..19 {
            for value in [10_i64.pow(digits) - 1, 10_i64.pow(digits), i64::MAX >> (3 * digits)] {
                for value in [value, value - 1, value / 7, -value, !value] {
                    let length = int(value, &mut room);
                    assert_eq!(text(length, &room), Some(&*value.to_string()));
                }
            }
        }
    }

    /// Checks a float. Returns whether it is in the usual range.
    fn check(value: f64) -> bool {
        let (mut room, mut other) = ([0xff; ROOM], [0xff; ROOM]);
        let length = float(value, &mut room);
        assert_eq!(text(length, &room), text(any_float(value, &mut other), &other));
        usual_float(value, &mut room).is_some()
    }

    #[test]
    fn usual_floats_are_written_as_any_float_is() {
        let mut random = 1_u64;
        for shift in 0..=MAX_SHIFT as u64 {
            let exponent = (1075 - shift) << 52;
            let edges = [0, 1, 2, (1 << 52) - 2, (1 << 52) - 1, 1 << 51, 0x5_5555_5555_5555];
            let mut next = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Sometimes few bits are set.
                random >> 12 << ((random >> 20 & 1) * (random >> 30 & 31))
            };
            for fraction in edges.into_iter().chain((0..4000).map(|_| next())) {
                let value = f64::from_bits(exponent | fraction & ((1 << 52) - 1));
                assert!(check(value) && check(-value));
            }
        }
        for value in [0.0, 4.8e-4, 1e16, 2_f64.powi(53), 1e300, 5e-324] {
            assert!(!check(value) && !check(-value), "{value}");
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(float(value, &mut [0; ROOM]), None);
        }
    }

    #[test]
    fn short_decimals_are_written_as_any_float_is() {
        let mut decimal = 1_u64;
        for round in 0..200_000 {
            decimal = decimal.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = (decimal >> (1 + round % 63)) as f64 / 10_f64.powi(round % 17);
            check(value);
            check(value.next_up());
            check(value.next_down());
        }
    }
}
