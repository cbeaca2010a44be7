//! Descriptors in reserve, so that a connection for which there is none can be told so.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::shortage;
use crate::stop::Stopping;

/// How many connections can be told at once.
const RESERVE: usize = 4;

#[derive(Debug)]
pub(super) struct Reserve {
    descriptors: Vec<OwnedFd>,
    /// What they are copies of; any would do.
    of: Stopping,
}

impl Reserve {
    /// Takes descriptors into reserve.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn new(of: Stopping) -> io::Result<Self> {
        let mut reserve = Reserve { descriptors: Vec::new(), of };
        reserve.fill().map_err(shortage::of("no descriptors can be kept in reserve"))?;
        Ok(reserve)
    }

    /// Takes descriptors into reserve again, as many as were given up.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        while self.descriptors.len() < RESERVE {
            self.descriptors.push(self.of.as_fd().try_clone_to_owned()?);
        }
        Ok(())
    }

    /// Gives up one of them, if any is left: the next that is asked for can be had.
    pub(super) fn give_up(&mut self) -> bool {
        self.descriptors.pop().is_some()
    }
}
