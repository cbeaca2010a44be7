//! The buffer of a reader of frames.

use std::ops::{Deref, DerefMut};

/// The size of a read, at most. Larger reads cost more memory than the system calls that they save.
pub(crate) const CHUNK: usize = 256 << 10;

/// A buffer that is never freed while it is larger than a chunk.
///
/// When a large block is freed, glibc's allocator raises its thresholds: from then on, each arena
/// keeps that much memory and no longer returns that of smaller blocks to the system.
#[derive(Debug)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn new(bytes: usize) -> Self {
        Buffer(vec![0; bytes])
    }

    /// Frees the memory beyond `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.0.truncate(bytes);
        self.0.shrink_to(bytes);
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.shrink(CHUNK);
    }
}
