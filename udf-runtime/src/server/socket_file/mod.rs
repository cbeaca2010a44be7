//! The file of a Unix socket: made without a moment of being too open, taken over when it is stale, and
//! removed by who made it.

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

/// Who may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// The mode of the file; 0660 unless it is set.
    pub mode: u32,
    /// The id of the group that owns the file; that of the process unless it is set.
    pub group: Option<u32>,
    /// Makes the socket although other users can replace it: its directory belongs to a user other than root and
    /// that of the process, or its group or everybody may write to it and it has no sticky bit. Not set by default.
    pub allow_shared_directory: bool,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions { mode: 0o660, group: None, allow_shared_directory: false }
    }
}

impl SocketOptions {
    /// Mode 0660, and the group of the process.
    pub fn new() -> Self {
        SocketOptions::default()
    }

    /// With this mode.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Owned by this group.
    pub fn group(mut self, gid: u32) -> Self {
        self.group = Some(gid);
        self
    }

    /// Also in a directory in which other users can replace the socket, such as an `emptyDir` of Kubernetes.
    pub fn allow_shared_directory(mut self, allow: bool) -> Self {
        self.allow_shared_directory = allow;
        self
    }
}

/// The number that stands for "no group" in the system's own calls.
const NO_GROUP: u32 = u32::MAX;

/// The longest address of a Unix socket, without its end.
const MAX_PATH: usize = 107;

/// How many connections may wait to be accepted; the system has a limit of its own.
const BACKLOG: i32 = 4096;

/// The file of a socket that this process made. Dropping it removes the file, if it is still the same.
#[derive(Debug)]
pub struct SocketFile {
    place: Place,
    file: Identity,
    /// Held as long as the socket is; its file stays, since removing it could free the path for two.
    _lock: File,
}

impl SocketFile {
    /// Makes a socket at `path` and listens on it.
    ///
    /// A lock on `path` with `.lock` appended tells whether another server is alive. A socket that nobody
    /// holds is taken over. Nobody can connect before the mode and the group of the socket are right: only then
    /// does it listen. Links among the directories above `path` are followed; the socket and its lock are never
    /// reached through one.
    ///
    /// # Errors
    /// Each kind of [`BindError`].
    pub fn bind(
        path: &Path,
        options: &SocketOptions,
    ) -> Result<(UnixListener, SocketFile), BindError> {
        let failed = |source| BindError::Socket { path: path.to_owned(), source };
        let length = path.as_os_str().len();
        if length > MAX_PATH {
            return Err(BindError::PathTooLong { path: path.to_owned(), length, max: MAX_PATH });
        }
        if options.group == Some(NO_GROUP) {
            let text = format!("{NO_GROUP} stands for no group; give it the id of a group");
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Returns whether its path leads to it, for those who want to connect; also when that cannot be told.
    pub(super) fn is_in_place(&self) -> bool {
        self.place.leads_to(&self.file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = self.place.remove(&self.file) {
            tracing::warn!("the socket {} was not removed: {error}", self.path().display());
        }
    }
}
