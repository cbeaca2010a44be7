//! Descriptors in reserve, so that a connection for which there is none can be told so.

use std::io;
use std::os::unix::net::UnixDatagram;

use rustix::process::{Resource, getrlimit};

use crate::agent::shortage;

/// The least and the most connections that can be told at once.
const LEAST: usize = 4;
const MOST: usize = 64;

/// The part of the descriptors of the process that is kept in reserve.
const PART: u64 = 32;

/// Each is an open file of its own, and no copy of another: also the files of the whole system can run out, and a
/// copy has none to give up.
#[derive(Debug)]
pub(super) struct Reserve {
    files: Vec<UnixDatagram>,
    size: usize,
}

impl Reserve {
    /// Takes descriptors into reserve.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn new() -> io::Result<Self> {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let size = usize::try_from(descriptors / PART).unwrap_or(MOST).clamp(LEAST, MOST);
        let mut reserve = Reserve { files: Vec::new(), size };
        reserve.fill().map_err(shortage::of("no descriptors can be kept in reserve"))?;
        Ok(reserve)
    }

    /// Takes descriptors into reserve again, as many as were given up.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        while self.files.len() < self.size {
            self.files.push(UnixDatagram::unbound()?);
        }
        Ok(())
    }

    /// Gives up one of them, if any is left: the next that is asked for can be had.
    pub(super) fn give_up(&mut self) -> bool {
        self.files.pop().is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_is_a_file_of_its_own() {
        let mut reserve = Reserve::new().unwrap();
        let files: BTreeSet<_> =
            reserve.files.iter().map(|file| rustix::fs::fstat(file).unwrap().st_ino).collect();
        assert_eq!(files.len(), reserve.size);
        assert!(files.len() >= LEAST);
        assert!(files.iter().all(|_| reserve.give_up()));
        assert!(!reserve.give_up());
    }
}
