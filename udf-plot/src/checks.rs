//! Finds out which output values the UDF has passed on unchanged.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// The most values that are compared.
const FULL: usize = 1 << 16;

/// Values of one side. Once there are too many, only those at some times stay, which are the same
/// times on both sides.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// Each value with its place, as a hash: the hash of its time, and its field.
    values: HashMap<u64, (u64, usize), BuildHasherDefault<Hashed>>,
    /// The number of bits of the hash of a time that must be zero.
    bits: u32,
}

impl Checks {
    pub(crate) fn add(&mut self, field: usize, name: &str, group: &str, time: i64, value: f64) {
        let (time, value) = (time.to_ne_bytes(), value.to_bits().to_ne_bytes());
        let of_time = hash(&[&time]);
        if of_time.trailing_zeros() < self.bits {
            return;
        }
        let place = hash(&[group.as_bytes(), name.as_bytes(), &time, &value]);
        self.values.insert(place, (of_time, field));
        while self.values.len() > FULL {
            self.bits += 1;
            let bits = self.bits;
            self.values.retain(|_, (of_time, _)| of_time.trailing_zeros() >= bits);
        }
    }

    /// Returns whether the compared values of the field are all in `input`, at the same times and in
    /// the same groups.
    pub(crate) fn are_carried(&self, field: usize, input: &Checks) -> bool {
        let bits = self.bits.max(input.bits);
        let mut compared = false;
        for (value, (of_time, of_field)) in &self.values {
            if *of_field == field && of_time.trailing_zeros() >= bits {
                compared = true;
                if !input.values.contains_key(value) {
                    return false;
                }
            }
        }
        compared
    }
}

/// A set of hashes.
pub(crate) type Hashes = HashSet<u64, BuildHasherDefault<Hashed>>;

/// Hashes values that are hashes already.
#[derive(Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(&[bytes]);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Returns a hash of texts and numbers: FNV-1a, and a last step that spreads it over all bits.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in *part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // No text contains this byte.
        hash = (hash ^ 0xff).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}
