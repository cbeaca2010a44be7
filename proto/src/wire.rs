//! The few pieces of the protobuf wire format that framing and points share.

/// A varint is at most this long.
pub(crate) const MAX_VARINT: usize = 10;

/// Why a varint could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarintError {
    /// The bytes end within it.
    Cut,
    /// It has more than ten bytes, or more than 64 bits.
    TooLong,
}

/// Reads the varint at `at`: its value, and where it ends.
#[inline(always)]
pub(crate) fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), VarintError> {
    match bytes.get(at) {
        Some(&byte) if byte < 0x80 => Ok((u64::from(byte), at + 1)),
        _ => long_varint(bytes, at),
    }
}

#[inline]
fn long_varint(bytes: &[u8], at: usize) -> Result<(u64, usize), VarintError> {
    let mut value = 0;
    for i in 0..MAX_VARINT {
        let byte = *bytes.get(at + i).ok_or(VarintError::Cut)?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            // The tenth byte has room for the last of 64 bits only.
            let fits = i < MAX_VARINT - 1 || byte < 2;
            return if fits { Ok((value, at + i + 1)) } else { Err(VarintError::TooLong) };
        }
    }
    Err(VarintError::TooLong)
}

/// Appends `value` as a varint.
#[inline]
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes `value` takes as a varint.
#[inline]
pub(crate) fn varint_len(value: u64) -> usize {
    prost::encoding::encoded_len_varint(value)
}

/// The key of a field: its number and its wire type.
pub(crate) const fn key(field: u32, wire_type: u32) -> u8 {
    // Every number that we write is below 16 or has a constant of its own.
    (field << 3 | wire_type) as u8
}
