//! Remembers the encoding of keys: a measurement with its tags.
//!
//! The lines of a program repeat their keys with every interval.

/// The most keys that are remembered.
const MOST: usize = 1024;

/// The length of the longest key that is remembered. Limits the memory.
const LONGEST: usize = 512;

/// The keys of earlier lines. Each has one slot, in which the last key stays.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The number of slots is a power of two.
    slots: Vec<Slot>,
}

#[derive(Debug, Default, Clone)]
struct Slot {
    key: Vec<u8>,
    encoded: Vec<u8>,
}

impl Keys {
    /// Forgets all keys.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Returns the encoding of the key.
    #[inline(always)]
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let slot = self.slots.get(self.slot(key)).filter(|slot| slot.key == key)?;
        Some(&slot.encoded)
    }

    /// Remembers the encoding of the key.
    pub(super) fn set(&mut self, key: &[u8], encoded: &[u8]) {
        if key.len() > LONGEST {
            return;
        }
        let is_free = |slot: &Slot| slot.key.is_empty();
        if self.slots.len() < MOST && !self.slots.get(self.slot(key)).is_some_and(is_free) {
            // Keys that have another slot now are no longer found.
            self.slots.resize((2 * self.slots.len()).max(16), Slot::default());
        }
        let slot = self.slot(key);
        let slot = &mut self.slots[slot];
        for (kept, bytes) in [(&mut slot.key, key), (&mut slot.encoded, encoded)] {
            kept.clear();
            kept.extend_from_slice(bytes);
        }
    }

    /// Returns the slot of the key.
    #[inline(always)]
    fn slot(&self, key: &[u8]) -> usize {
        let (words, rest) = key.as_chunks();
        let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        let mix =
            |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = words.chain([rest]).fold(key.len() as u64, mix);
        (hash >> 32) as usize & self.slots.len().saturating_sub(1)
    }
}
