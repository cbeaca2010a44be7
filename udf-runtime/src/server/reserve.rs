//! Spare descriptors, which allow the server to accept and refuse a connection when descriptors run
//! out.

use std::io;
use std::os::unix::net::UnixDatagram;

use rustix::process::{Resource, getrlimit};

use crate::agent::shortage;

/// The minimum and the maximum number of spare descriptors.
const LEAST: usize = 4;
const MOST: usize = 64;

/// One descriptor of the process in this many is kept in reserve.
const PART: u64 = 32;

/// Each spare descriptor is an open file of its own. A duplicate would not help when the
/// system-wide limit of open files is reached, because closing a duplicate frees no file.
#[derive(Debug)]
pub(super) struct Reserve {
    files: Vec<UnixDatagram>,
    size: usize,
}

impl Reserve {
    /// Opens the spare descriptors.
    ///
    /// # Errors
    /// Returns an error if there are no descriptors left.
    pub(super) fn new() -> io::Result<Self> {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let size = usize::try_from(descriptors / PART).unwrap_or(MOST).clamp(LEAST, MOST);
        let mut reserve = Reserve { files: Vec::new(), size };
        reserve.fill().map_err(shortage::of("cannot reserve descriptors"))?;
        Ok(reserve)
    }

    /// Reopens the spare descriptors that were given up.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        while self.files.len() < self.size {
            self.files.push(UnixDatagram::unbound()?);
        }
        Ok(())
    }

    /// Closes one spare descriptor, so that the next request for one succeeds. Returns false if
    /// there was none.
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
