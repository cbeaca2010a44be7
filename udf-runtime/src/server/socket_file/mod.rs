//! The file of a Unix socket. It is never more accessible than its mode, replaces a stale socket,
//! and is removed by its creator.

mod error;
mod place;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::net::listen;

pub use self::error::BindError;
use self::place::{Identity, Place};

/// The options of a socket's file. They decide who can connect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct SocketOptions {
    /// The mode of the file. Defaults to 0660.
    pub mode: u32,
    /// The id of the group that owns the file. Defaults to the group of the process.
    pub group: Option<u32>,
    /// Creates the socket even if other users can replace it. That is the case if its directory
    /// belongs to a user other than root and the user of the process, or if others can write to the
    /// directory and it has no sticky bit. Defaults to `false`.
    pub allow_shared_directory: bool,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions { mode: 0o660, group: None, allow_shared_directory: false }
    }
}

impl SocketOptions {
    /// Creates options with the default values.
    pub fn new() -> Self {
        SocketOptions::default()
    }

    /// Sets the mode.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the group.
    pub fn group(mut self, gid: u32) -> Self {
        self.group = Some(gid);
        self
    }

    /// Allows a directory in which other users can replace the socket, for example an `emptyDir` of
    /// Kubernetes.
    pub fn allow_shared_directory(mut self, allow: bool) -> Self {
        self.allow_shared_directory = allow;
        self
    }
}

/// The number for "no group" in system calls.
const NO_GROUP: u32 = u32::MAX;

/// The maximum length of a Unix socket address, without its terminator.
const MAX_PATH: usize = 107;

/// The maximum number of connections that wait to be accepted. The system has its own limit.
const BACKLOG: i32 = 4096;

/// The file of a socket that this process created. Dropping this removes the file, unless it was
/// replaced.
#[derive(Debug)]
pub struct SocketFile {
    place: Place,
    file: Identity,
    /// The lock is held as long as the socket. The file of the lock is never removed: after a
    /// removal, two servers could each hold a lock.
    _lock: File,
}

impl SocketFile {
    /// Creates a socket at `path` and listens on it.
    ///
    /// A server holds a lock on `path` with `.lock` appended. A socket whose lock is free is
    /// replaced. The server listens only after it has set the mode and the group of the socket, so
    /// nobody can connect before. Links among the directories above `path` are followed. The socket
    /// and its lock are never reached through a link.
    ///
    /// # Errors
    /// Every variant of [`BindError`].
    pub fn bind(
        path: &Path,
        options: &SocketOptions,
    ) -> Result<(UnixListener, SocketFile), BindError> {
        let failed = |error| BindError::Socket { path: path.to_owned(), error };
        let length = path.as_os_str().len();
        if length > MAX_PATH {
            return Err(BindError::PathTooLong { path: path.to_owned(), length, max: MAX_PATH });
        }
        if options.group == Some(NO_GROUP) {
            let text = format!("{NO_GROUP} stands for no group; use the numeric id of a group");
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        let place = Place::open(path)?;
        if !options.allow_shared_directory {
            place.check()?;
        }
        let lock = place.lock()?;
        place.clear()?;
        let (socket, made) = place.make(options)?;
        let file = SocketFile { place, file: made.identity(), _lock: lock };
        made.set_access(options).map_err(failed)?;
        listen(&socket, BACKLOG).map_err(|error| failed(error.into()))?;
        Ok((UnixListener::from(socket), file))
    }

    /// Returns the path of the socket.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Returns whether clients reach this socket by its path. Returns true if this cannot be
    /// determined.
    pub(super) fn is_in_place(&self) -> bool {
        self.place.has(&self.file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = self.place.remove(&self.file) {
            tracing::warn!("the socket {} was not removed: {error}", self.path().display());
        }
    }
}
