//! The parts of the protobuf wire format that framing and points share.

/// The maximum length of a varint, in bytes.
pub(crate) const MAX_VARINT: usize = 10;

/// Why bytes are not a varint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarintError {
    /// The bytes end within the varint.
    Cut,
    /// The varint has more than ten bytes, or its value more than 64 bits.
    TooLong,
}

/// The high bit of each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Reads the varint at `at`. Returns its value and its end.
#[inline(always)]
pub(crate) fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), VarintError> {
    match bytes.get(at) {
        Some(&byte) if byte < 0x80 => Ok((u64::from(byte), at + 1)),
        _ => long_varint(bytes, at),
    }
}

#[inline]
fn long_varint(bytes: &[u8], at: usize) -> Result<(u64, usize), VarintError> {
    // Reads eight bytes at once. Present times take nine bytes.
    let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else {
        return varint_by_bytes(bytes, at);
    };
    let eight = u64::from_le_bytes(*eight);
    // The last byte of a varint is the first one without a high bit.
    let ends = !eight & HIGH;
    if ends != 0 {
        let up_to_the_first_end = ends ^ (ends - 1);
        let length = ends.trailing_zeros() as usize / 8 + 1;
        return Ok((seven_bits(eight & up_to_the_first_end), at + length));
    }
    let low = seven_bits(eight);
    match bytes[at + 8..] {
        [ninth, ..] if ninth < 0x80 => Ok((low | u64::from(ninth) << 56, at + 9)),
        // The tenth byte contains only the last of 64 bits.
        [ninth, tenth @ 0..2, ..] => {
            Ok((low | u64::from(ninth & 0x7f) << 56 | u64::from(tenth) << 63, at + 10))
        }
        [] | [_] => Err(VarintError::Cut),
        _ => Err(VarintError::TooLong),
    }
}

/// Returns the lower seven bits of each of eight bytes, without gaps.
fn seven_bits(eight: u64) -> u64 {
    let bits = eight & !HIGH;
    let bits = bits & 0x007f_007f_007f_007f | (bits & 0x7f00_7f00_7f00_7f00) >> 1;
    let bits = bits & 0x0000_3fff_0000_3fff | (bits & 0x3fff_0000_3fff_0000) >> 2;
    bits & 0x0fff_ffff | (bits & 0x0fff_ffff_0000_0000) >> 4
}

/// Reads a varint byte by byte, near the end of the bytes.
fn varint_by_bytes(bytes: &[u8], at: usize) -> Result<(u64, usize), VarintError> {
    let mut value = 0;
    for (i, &byte) in bytes.get(at..).unwrap_or_default().iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, at + i + 1));
        }
    }
    // Fewer than eight bytes are left, and each announces another one.
    Err(VarintError::Cut)
}

/// Returns whether the bytes are UTF-8. Fast for ASCII, the usual text of names and values.
#[inline]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    let is_ascii = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            (u64::from_le_bytes(*first) | u64::from_le_bytes(*last)) & HIGH == 0
        }
        (None, None) => bytes.iter().fold(0, |any, byte| any | byte) < 0x80,
        _ => bytes.is_ascii(),
    };
    is_ascii || std::str::from_utf8(bytes).is_ok()
}

/// Returns how many bytes have their high bit set. In text, these are not ASCII.
#[inline]
pub(crate) fn count_high(bytes: &[u8]) -> u64 {
    // A byte of `sums` counts up to 255: 254 words, and the word of the remaining bytes.
    let blocks = bytes.chunks(254 * 8).map(|block| {
        let (words, rest) = block.as_chunks();
        let sums = words.iter().map(|word| high_bits(u64::from_le_bytes(*word))).sum::<u64>();
        let sums = sums + high_bits(last_word(block, rest.len()));
        let pairs = (sums & 0x00ff_00ff_00ff_00ff) + (sums >> 8 & 0x00ff_00ff_00ff_00ff);
        pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48
    });
    blocks.sum()
}

/// Returns the last bytes, at most seven, as a word. The other bytes of the word are zero.
#[inline(always)]
fn last_word(bytes: &[u8], count: usize) -> u64 {
    match bytes.last_chunk() {
        Some(last) => u64::from_le_bytes(*last).checked_shr(64 - 8 * count as u32).unwrap_or(0),
        None => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Counts the bytes of a word with a high bit.
#[inline(always)]
pub(crate) fn count_high_of_word(word: u64) -> u64 {
    high_bits(word).wrapping_mul(HIGH >> 7) >> 56
}

/// Returns 1 in each byte whose high bit is set.
#[inline(always)]
fn high_bits(word: u64) -> u64 {
    word >> 7 & (HIGH >> 7)
}

/// Appends `value` as a varint.
#[inline]
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    // Two bytes are the usual size of the length of a point.
    if (0x80..0x4000).contains(&value) {
        out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
        return;
    }
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Returns how many bytes `value` takes as a varint.
#[inline]
pub(crate) fn varint_len(value: u64) -> usize {
    prost::encoding::encoded_len_varint(value)
}

/// Returns the key of a member: its number and its wire type.
pub(crate) const fn key(field: u32, wire_type: u32) -> u8 {
    // One byte is enough: every number here is below 16, or has a constant of its own.
    (field << 3 | wire_type) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_bytes_are_counted_whatever_the_length() {
        for length in (0..40).chain([2031, 2032, 2033, 2040, 2041, 5000]) {
            for fill in [0x7f, 0x80, 0xff] {
                let bytes = vec![fill; length];
                let expected = if fill == 0x7f { 0 } else { length as u64 };
                assert_eq!(count_high(&bytes), expected, "{length} of {fill:x}");
            }
            let mixed = (0..length).map(|at| (at * 37) as u8).collect::<Vec<_>>();
            let expected = mixed.iter().filter(|byte| **byte >= 0x80).count() as u64;
            assert_eq!(count_high(&mixed), expected, "{length} mixed");
        }
    }

    #[test]
    fn varints_are_what_prost_writes_and_reads() {
        for shift in 0..64 {
            for value in [1 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                put_varint(value, &mut bytes);
                let mut by_prost = Vec::new();
                prost::encoding::encode_varint(value, &mut by_prost);
                assert_eq!(bytes, by_prost);
                let length = bytes.len();
                assert_eq!(varint_len(value), length);
                // With and without the eight following bytes, which are read at once.
                for behind in [0, 1, 8] {
                    bytes.resize(length + behind, 0xff);
                    assert_eq!(varint(&bytes, 0), Ok((value, length)));
                }
                let cut = varint(&bytes[..length - 1], 0);
                assert_eq!(cut, Err(VarintError::Cut));
            }
        }
    }
}
