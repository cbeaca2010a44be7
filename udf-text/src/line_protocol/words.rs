//! Searches bytes eight at a time.

/// A 1 in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The high bit of each byte of a word.
const HIGH: u64 = 0x80 * ONES;

/// Returns the position of the first of the `wanted` bytes at or behind `at`, or the length.
#[inline(always)]
pub(super) fn find<const N: usize>(bytes: &[u8], mut at: usize, wanted: [u8; N]) -> usize {
    while let Some(word) = word(bytes, at) {
        // The lowest high bit of a byte that became zero is right. Those above it may be borrowed.
        let zero = |byte: u8| {
            let others = word ^ (ONES * u64::from(byte));
            others.wrapping_sub(ONES) & !others
        };
        let found = wanted.iter().fold(0, |found, byte| found | zero(*byte)) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| wanted.contains(byte)).unwrap_or(rest.len())
}

/// Appends the decimal digits at `at` to a value. Returns it and the position behind the digits.
/// The value is unusable if the digits do not fit.
#[inline(always)]
pub(super) fn digits(bytes: &[u8], mut at: usize, mut value: u64) -> (u64, usize) {
    /// The factor of so many digits.
    const FACTORS: [u64; 9] =
        [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
    while let Some(word) = word(bytes, at) {
        let word = word ^ (ONES * u64::from(b'0'));
        // A byte above 9 gets its high bit. The lowest one is right: only a byte that has it
        // already overflows.
        let others = (word.wrapping_add((0x80 - 10) * ONES) | word) & HIGH;
        let count = others.trailing_zeros() / 8;
        // The digits move to the end of the word, behind zeros.
        let digits = word.checked_shl(64 - 8 * count).unwrap_or(0);
        value = value.wrapping_mul(FACTORS[count as usize]).wrapping_add(eight(digits));
        at += count as usize;
        if count < 8 {
            return (value, at);
        }
    }
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|d| *d < 10) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (value, at)
}

/// Returns the number of eight digits, the first of which is in the lowest byte.
#[inline(always)]
fn eight(digits: u64) -> u64 {
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_is_found_wherever_it_is() {
        for length in 0..40 {
            for at in 0..=length {
                // Bytes beside the wanted ones, which a borrow could turn into them.
                for other in [b',' + 1, b',' - 1, b',' ^ 0x80, 0, 0xff] {
                    let mut bytes = vec![other; length];
                    bytes[at..].fill(b',');
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = b'=';
                    }
                    for from in 0..=at {
                        assert_eq!(find(&bytes, from, [b'=', b',']), at, "{bytes:?} from {from}");
                    }
                }
            }
        }
    }

    #[test]
    fn digits_are_read_up_to_any_other_byte() {
        for count in 0..20 {
            let number = &"1234567890987654321"[..count];
            for behind in ["", ".", "/0", ":9", "\u{0}1", "\u{ff}123456789", "e23456789"] {
                let text = format!("x{number}{behind}");
                let expected = format!("7{number}").parse::<u64>().unwrap_or(0);
                let (value, end) = digits(text.as_bytes(), 1, 7);
                assert_eq!(end, 1 + count, "{text}");
                assert!(count == 19 || value == expected, "{text}: {value}");
            }
        }
    }
}
