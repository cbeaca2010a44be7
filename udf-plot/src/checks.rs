//! Finds out which output values the UDF has passed on unchanged.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The most values that are compared.
const FULL: usize = 1 << 16;

/// Values of one side. Once there are too many, only those at some times stay, which are the same
/// times on both sides.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// Each value with its place, as a hash: the hash of its time, and its field.
    values: HashMap<u64, (u64, usize)>,
    /// The number of bits of the hash of a time that must be zero.
    bits: u32,
}

impl Checks {
    pub(crate) fn add(&mut self, field: usize, name: &str, group: &str, time: i64, value: f64) {
        let of_time = hash(time);
        if of_time.trailing_zeros() < self.bits {
            return;
        }
        self.values.insert(hash((group, name, time, value.to_bits())), (of_time, field));
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
        let compared = self.values.iter().filter(|(_, (of_time, of_field))| {
            *of_field == field && of_time.trailing_zeros() >= bits
        });
        let mut found = compared.map(|(value, _)| input.values.contains_key(value)).peekable();
        found.peek().is_some() && found.all(|found| found)
    }
}

/// Returns the same hash for equal values in this process and in any other.
pub(crate) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
