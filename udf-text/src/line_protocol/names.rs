//! Finds two fields of one name.

use std::ops::Range;

/// The most fields of a line. Comparing more of them by pairs would take long.
const MOST: usize = 256;

/// The names of the fields of a line.
///
/// Most names are told apart by a bit that their bytes choose. The others are compared.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<Range<usize>>,
    bits: [u64; 16],
}

impl Names {
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.bits = [0; 16];
    }

    /// Adds the name at `range` of the line. Returns whether it is new, and the line has not too
    /// many.
    #[inline(always)]
    pub(super) fn add(&mut self, line: &[u8], range: Range<usize>) -> bool {
        let name = &line[range.clone()];
        let bit = bit(name);
        let bits = &mut self.bits[bit as usize / 64];
        let is_taken = *bits >> (bit % 64) & 1 == 1;
        *bits |= 1 << (bit % 64);
        if self.names.len() == MOST || is_taken && self.has(line, name) {
            return false;
        }
        self.names.push(range);
        true
    }

    #[inline(never)]
    fn has(&self, line: &[u8], name: &[u8]) -> bool {
        self.names.iter().any(|other| line[other.clone()] == *name)
    }
}

/// Returns one of 1024 bits for a name.
#[inline(always)]
fn bit(name: &[u8]) -> u64 {
    let word = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(23)
        }
        _ => name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    (word ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54
}
