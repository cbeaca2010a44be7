//! The file of a Unix socket: made without a moment of being too open, taken over when it is stale, and
//! removed by who made it.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};

/// Who may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// The mode of the file; 0660 unless it is set.
    pub mode: u32,
    /// The id of the group that owns the file; that of the process unless it is set.
    pub group: Option<u32>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions { mode: 0o660, group: None }
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
}

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
        "whether another server is using {} cannot be told: {source}; \
         it was left alone, remove it or choose another path",
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
    /// The lock is there, but is none that this process can hold.
    #[error("the lock {} cannot be opened: {source}; remove it or give it to this user", path.display())]
    Lock {
        /// The path of the lock.
        path: PathBuf,
        /// What opening it said.
        source: io::Error,
    },
    /// It is too long for the address of a socket.
    #[error(
        "{} is too long for a socket: {length} bytes, with at most {max} possible",
        path.display()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length, and that of the name under which it is made.
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

/// The longest address of a Unix socket, without its end.
const MAX_PATH: usize = 107;

/// The file of a socket that this process made. Dropping it removes the file, if it is still the same.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// Held as long as the socket is; its file stays, since removing it could free the path for two.
    _lock: File,
}

impl SocketFile {
    /// Makes a socket at `path` and listens on it.
    ///
    /// A lock on `path` with `.lock` appended tells whether another server is alive. A socket that nobody
    /// holds is taken over. The socket is made in a directory of its own, which nobody else can enter, and
    /// moved to its place when its mode and group are right.
    ///
    /// # Errors
    /// Each kind of [`BindError`].
    pub fn bind(
        path: &Path,
        options: &SocketOptions,
    ) -> Result<(UnixListener, SocketFile), BindError> {
        let failed = |source| BindError::Socket { path: path.to_owned(), source };
        let lock = hold_lock(path)?;
        let room = room_path(path, &lock).map_err(failed)?;
        let made = room.join(MADE);
        let length = made.as_os_str().len().max(path.as_os_str().len());
        if length > MAX_PATH {
            return Err(BindError::PathTooLong { path: path.to_owned(), length, max: MAX_PATH });
        }
        check_free(path)?;
        let _room = Room::new(room).map_err(failed)?;
        let listener = UnixListener::bind(&made).map_err(failed)?;
        if options.group.is_some() {
            std::os::unix::fs::chown(&made, None, options.group).map_err(failed)?;
        }
        fs::set_permissions(&made, Permissions::from_mode(options.mode)).map_err(failed)?;
        let metadata = fs::symlink_metadata(&made).map_err(failed)?;
        fs::rename(&made, path).map_err(failed)?;
        let file = SocketFile {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            _lock: lock,
        };
        Ok((listener, file))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("the socket {} was not removed: {error}", self.path.display());
        }
    }
}

/// The lock of the socket at `path`, held for as long as the file is open.
fn hold_lock(path: &Path) -> Result<File, BindError> {
    let failed = |source| BindError::Socket { path: path.to_owned(), source };
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        // Whoever can open it can hold it, and keep us from starting again.
        .mode(0o600)
        .open(&lock_path);
    let lock = opened.map_err(|source| match fs::symlink_metadata(&lock_path) {
        Ok(_) => BindError::Lock { path: lock_path, source },
        // It could not be made, and neither could the socket.
        Err(_) if source.kind() == io::ErrorKind::NotFound => {
            BindError::NoDirectory { path: path.to_owned() }
        }
        Err(_) => failed(source),
    })?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(BindError::InUse { path: path.to_owned() }),
        Err(error) => Err(failed(error.into())),
    }
}

/// Whether a socket can be moved to `path`: nothing is there, or a socket that nobody listens on.
fn check_free(path: &Path) -> Result<(), BindError> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(BindError::Socket { path: path.to_owned(), source }),
        Ok(found) => found,
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    // We hold the lock, so it is no server of this kit; but another program may listen there.
    match try_to_connect(path) {
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        // It is one for datagrams, or so many wait there that no more can.
        Ok(()) | Err(Errno::PROTOTYPE | Errno::AGAIN) => {
            Err(BindError::InUse { path: path.to_owned() })
        }
        Err(error) => Err(BindError::Untold { path: path.to_owned(), source: error.into() }),
    }
}

/// Connects without waiting for room, which a program that hangs never makes.
fn try_to_connect(path: &Path) -> Result<(), Errno> {
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    ioctl_fionbio(&socket, true)?;
    connect(socket, &SocketAddrUnix::new(path)?)
}

/// The name of the socket in its [`Room`].
const MADE: &str = "s";

/// Where the [`Room`] of the socket at `path` is.
///
/// Its name is that of nobody else, because the lock is ours alone: two containers that share a directory
/// can both have a process of any number. And it is short, as the path of a socket has to be.
fn room_path(path: &Path, lock: &File) -> io::Result<PathBuf> {
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    Ok(parent.join(format!(".{:x}", lock.metadata()?.ino())))
}

/// A directory beside the socket that nobody else can enter, for as long as the socket is being made.
struct Room {
    path: PathBuf,
}

impl Room {
    /// Makes it anew if a process has left it that was killed; `path` is that of [`room_path`].
    fn new(path: PathBuf) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let make = || fs::DirBuilder::new().mode(0o700).create(&path);
        let made = match make() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                clear(&path).and_then(|()| make()).map_err(|error| {
                    let text = format!("{} is in the way: {error}; remove it", path.display());
                    io::Error::new(error.kind(), text)
                })
            }
            made => made,
        };
        made.map(|()| Room { path })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // The socket has been moved out of it, or could not be.
        let _ = clear(&self.path);
    }
}

/// Removes a room, and the socket in it if that was not moved out.
fn clear(room: &Path) -> io::Result<()> {
    // Not by way of a link: what is behind one is not ours.
    if fs::symlink_metadata(room)?.is_dir() {
        let _ = fs::remove_file(room.join(MADE));
    }
    fs::remove_dir(room)
}
