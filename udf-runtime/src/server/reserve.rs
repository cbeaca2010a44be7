//! Descriptors in reserve, so that a connection for which there is none can be told so.

use std::io;
use std::os::unix::net::UnixDatagram;

use crate::shortage;

/// How many connections can be told at once.
const RESERVE: usize = 4;

/// Each is an open file of its own, and no copy of another: also the files of the whole system can run out, and a
/// copy has none to give up.
#[derive(Debug)]
pub(super) struct Reserve(Vec<UnixDatagram>);

impl Reserve {
    /// Takes descriptors into reserve.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn new() -> io::Result<Self> {
        let mut reserve = Reserve(Vec::new());
        reserve.fill().map_err(shortage::of("no descriptors can be kept in reserve"))?;
        Ok(reserve)
    }

    /// Takes descriptors into reserve again, as many as were given up.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        while self.0.len() < RESERVE {
            self.0.push(UnixDatagram::unbound()?);
        }
        Ok(())
    }

    /// Gives up one of them, if any is left: the next that is asked for can be had.
    pub(super) fn give_up(&mut self) -> bool {
        self.0.pop().is_some()
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
            reserve.0.iter().map(|file| rustix::fs::fstat(file).unwrap().st_ino).collect();
        assert_eq!(files.len(), RESERVE);
        assert!((0..RESERVE).all(|_| reserve.give_up()));
        assert!(!reserve.give_up());
    }
}
