//! Writes numbers into a buffer of a fixed size.

use std::io::Write as _;

/// The room for a number. Bytes behind the number have no meaning.
pub(super) const ROOM: usize = 40;

const E8: u64 = 100_000_000;

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
    // Beyond this range, the exponent of `{:?}` has another form.
    if value == 0.0 || (1e-4..1e16).contains(&value.abs()) {
        let mut buffer = zmij::Buffer::new();
        let digits = buffer.format_finite(value).as_bytes();
        copy(digits, room.get_mut(..digits.len())?);
        return Some(digits.len());
    }
    float_with_exponent(value, room)
}

/// Copies up to 32 bytes. Copies of a fixed size are faster than one of any size, and may overlap.
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8]) {
    if !(copy_ends::<16>(from, to) || copy_ends::<8>(from, to) || copy_ends::<4>(from, to)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// Copies the first and the last `N` bytes. Returns false if there are fewer.
#[inline(always)]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    if let Some(to) = to.first_chunk_mut() {
        *to = *first;
    }
    if let Some(to) = to.last_chunk_mut() {
        *to = *last;
    }
    true
}

#[inline(never)]
fn float_with_exponent(value: f64, room: &mut [u8; ROOM]) -> Option<usize> {
    let mut rest = &mut room[..];
    if value.is_finite() {
        write!(rest, "{value:?}").ok()?;
    }
    let length = ROOM - rest.len();
    (length > 0).then_some(length)
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

    #[test]
    fn floats_of_every_length_are_written_as_std_does() {
        let mut room = [0xff; ROOM];
        for digits in 0..17 {
            for value in [1.0, 1.0 / 3.0, 98_765.432_1, 1.5e300, 1e-300, 12_345_678.75] {
                let value = value / 10_f64.powi(digits);
                for value in [value, -value, 0.0 * value] {
                    let length = float(value, &mut room);
                    assert_eq!(text(length, &room), Some(&*format!("{value:?}")));
                }
            }
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(float(value, &mut room), None);
        }
    }
}
