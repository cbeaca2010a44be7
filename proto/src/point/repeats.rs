//! Tells cheaply that no name repeats.

/// The slots of a table. A power of two that one byte can index.
const SLOTS: usize = 256;

/// A table finds empty slots quickly up to this many names.
pub(super) const MOST: usize = SLOTS / 2;

/// The names of the parts of a point, as fingerprints.
///
/// The table forgets no name. It takes two different names for the same only if 23 bits of their
/// hashes are equal, so that a search for the repeated name is worth its time.
#[derive(Debug)]
pub(super) struct Repeats {
    /// Each name is in the slot that its hash chooses, or in the next empty one. Zero is empty.
    slots: [u16; SLOTS],
    count: usize,
}

impl Repeats {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Repeats { slots: [0; SLOTS], count: 0 }
    }

    /// Adds the hash of a name. Returns whether the name may be in the table already, or whether
    /// the table is full.
    #[inline(always)]
    pub(super) fn add(&mut self, hash: u64) -> bool {
        if self.count == MOST {
            return true;
        }
        let fingerprint = (hash >> 32) as u16 | 1;
        let mut slot = (hash >> 56) as u8;
        loop {
            let found = &mut self.slots[usize::from(slot)];
            if *found == 0 {
                *found = fingerprint;
                self.count += 1;
                return false;
            }
            if *found == fingerprint {
                return true;
            }
            slot = slot.wrapping_add(1);
        }
    }
}

/// The bits of so many bytes.
const BYTES: [u128; 17] = {
    let mut all = [0; 17];
    let mut length = 1;
    while length < all.len() {
        all[length] = u128::MAX >> (128 - 8 * length);
        length += 1;
    }
    all
};

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xe703_7ed1_a0b4_28db;

/// Returns the hash of a name within a class. `tail` begins with the name, of `length` bytes.
#[inline(always)]
pub(super) fn hash(class: u8, tail: &[u8], length: usize) -> u64 {
    let class = u64::from(class);
    match tail.first_chunk::<16>() {
        Some(chunk) if (1..=16).contains(&length) => {
            mix(class, u128::from_le_bytes(*chunk) & BYTES[length])
        }
        _ => hash_in_blocks(class, &tail[..length]),
    }
}

/// Returns the hash of any name, the same as [`hash`].
fn hash_in_blocks(class: u64, name: &[u8]) -> u64 {
    name.chunks(16).fold(class, |hash, block| {
        let mut padded = [0; 16];
        padded[..block.len()].copy_from_slice(block);
        mix(hash, u128::from_le_bytes(padded))
    })
}

#[inline(always)]
fn mix(hash: u64, block: u128) -> u64 {
    let (low, high) = (block as u64, (block >> 64) as u64);
    let product = u128::from(low ^ FIRST) * u128::from(high ^ SECOND ^ hash);
    product as u64 ^ (product >> 64) as u64
}
