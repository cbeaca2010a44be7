//! Queries the state of a descriptor without blocking.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Returns whether a small write does not block. A pipe has room for a page then, and a socket for
/// more.
pub(crate) fn has_room(fd: BorrowedFd<'_>) -> bool {
    !events(fd, PollFlags::OUT).is_empty()
}

/// Returns whether all writers of the other end of `fd` have closed it, or have shut down that
/// half.
pub(crate) fn has_hung_up(fd: BorrowedFd<'_>) -> bool {
    #[cfg(target_os = "linux")]
    let closed = PollFlags::HUP | PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    let closed = PollFlags::HUP;
    events(fd, closed).intersects(closed)
}

/// Returns whether the other side has closed `fd` in both directions, so that nobody reads an
/// answer.
pub(crate) fn has_gone(fd: BorrowedFd<'_>) -> bool {
    events(fd, PollFlags::empty()).contains(PollFlags::HUP)
}

/// Returns the present events: requested events, and errors.
fn events(fd: BorrowedFd<'_>, asked: PollFlags) -> PollFlags {
    let mut fds = [PollFd::new(&fd, asked)];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(1..) => fds[0].revents(),
        _ => PollFlags::empty(),
    }
}
