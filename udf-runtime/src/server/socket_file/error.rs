//! The errors of creating a socket.

use std::io;
use std::path::PathBuf;

use crate::agent::shortage;

/// The reason why a socket could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another server is using the socket.
    #[error("another server is using {}; stop it first, or choose another path", path.display())]
    InUse {
        /// The path of the socket.
        path: PathBuf,
    },
    /// The path is taken by a file that is not a socket. The file is left alone.
    #[error("{} exists and is not a socket; it was left unchanged, choose another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The path is taken by a socket, and it cannot be determined whether a server listens on it.
    #[error(
        "cannot determine whether {} is in use: {}; remove it or choose another path",
        path.display(),
        shortage::text(error)
    )]
    Untold {
        /// The path of the socket.
        path: PathBuf,
        /// The error of connecting to the socket.
        error: io::Error,
    },
    /// The directory of the socket does not exist.
    #[error(
        "cannot create the socket {}: its directory does not exist; create it or choose another path",
        path.display()
    )]
    NoDirectory {
        /// The path of the socket.
        path: PathBuf,
    },
    /// Other users can replace the socket with their own; see
    /// [`SocketOptions::allow_shared_directory`](super::SocketOptions::allow_shared_directory).
    #[error(
        "cannot create the socket {}: other users could replace it, because {why}, or accept this \
         with --allow-shared-directory",
        path.display()
    )]
    SharedDirectory {
        /// The path of the socket.
        path: PathBuf,
        /// The problem with the directory, and the remedy.
        why: String,
    },
    /// The lock exists, but this process cannot open it.
    #[error(
        "cannot open the lock {}: {}; remove it or change its owner to this user",
        path.display(),
        shortage::text(error)
    )]
    Lock {
        /// The path of the lock.
        path: PathBuf,
        /// The error of opening the lock.
        error: io::Error,
    },
    /// The path of the lock is taken by something other than a regular file, which is left alone.
    #[error(
        "the lock {} is {what} and not a regular file; it was left unchanged, remove it or choose another path",
        path.display()
    )]
    NotALock {
        /// The path of the lock.
        path: PathBuf,
        /// The kind of file.
        what: &'static str,
    },
    /// The socket was replaced before anybody could connect to it.
    #[error(
        "the socket {} was replaced during its creation: another user can write to a directory above it; \
         choose a path where only root and this user can",
        path.display()
    )]
    Replaced {
        /// The path of the socket.
        path: PathBuf,
    },
    /// The path is too long for a socket address.
    #[error("{} is too long for a socket: it has {length} bytes, but the maximum is {max}", path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The maximum in bytes.
        max: usize,
    },
    /// The operating system failed to create the socket.
    #[error("cannot create the socket {}: {}", path.display(), shortage::text(error))]
    Socket {
        /// The path of the socket.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
}
