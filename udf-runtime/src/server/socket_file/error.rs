//! Why no socket could be made.

use std::io;
use std::path::PathBuf;

/// Why no socket could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another server is alive there.
    #[error("another server is using {}; stop it first, or choose another path", path.display())]
    InUse {
        /// The path of the socket.
        path: PathBuf,
    },
    /// Something that is no socket is at that path, and is left alone.
    #[error("{} exists and is not a socket; it was left alone, choose another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A socket is at that path, and whether anybody listens on it cannot be told.
    #[error(
        "cannot determine whether {} is in use: {source}; remove it or choose another path",
        path.display()
    )]
    Untold {
        /// The path of the socket.
        path: PathBuf,
        /// What connecting to it said.
        source: io::Error,
    },
    /// Where it should be is no directory.
    #[error(
        "no socket at {}: its directory does not exist; make it, or choose another path",
        path.display()
    )]
    NoDirectory {
        /// The path of the socket.
        path: PathBuf,
    },
    /// Other users can put a socket of their own in its place; see
    /// [`SocketOptions::allow_shared_directory`](super::SocketOptions::allow_shared_directory).
    #[error(
        "no socket at {}: other users can replace it, since {why}, or accept that with \
         --allow-shared-directory",
        path.display()
    )]
    SharedDirectory {
        /// The path of the socket.
        path: PathBuf,
        /// What is wrong with its directory, and what corrects it.
        why: String,
    },
    /// The lock is there, but is none that this process can hold.
    #[error("the lock {} cannot be opened: {source}; remove it or give it to this user", path.display())]
    Lock {
        /// The path of the lock.
        path: PathBuf,
        /// What opening it said.
        source: io::Error,
    },
    /// Something that is no file is at the path of the lock, and is left alone.
    #[error(
        "the lock {} is {what} and not a file; it was left alone, remove it or choose another path",
        path.display()
    )]
    NotALock {
        /// The path of the lock.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// Something else has taken the place of the socket before anybody could connect to it.
    #[error(
        "the socket {} was replaced while it was made: another user can write to a directory above it; \
         choose a path where only root and this user can",
        path.display()
    )]
    Replaced {
        /// The path of the socket.
        path: PathBuf,
    },
    /// It is too long for the address of a socket.
    #[error("{} is too long for a socket: it has {length} bytes, but at most {max} are possible", path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// What fits.
        max: usize,
    },
    /// The system refused.
    #[error("no socket at {}: {source}", path.display())]
    Socket {
        /// The path of the socket.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}
