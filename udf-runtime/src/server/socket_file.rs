//! The file of a Unix socket: made without a moment of being too open, taken over when it is stale, and
//! removed by who made it.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
#[cfg(target_os = "linux")]
use rustix::fs::{Mode, OFlags, fchmod, open};
use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};

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
    /// The lock is there, but is none that this process can hold.
    #[error("the lock {} cannot be opened: {source}; remove it or give it to this user", path.display())]
    Lock {
        /// The path of the lock.
        path: PathBuf,
        /// What opening it said.
        source: io::Error,
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

/// The longest address of a Unix socket, without its end.
const MAX_PATH: usize = 107;

/// How many connections may wait to be accepted; the system has a limit of its own.
const BACKLOG: i32 = 4096;

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
    /// holds is taken over. Nobody can connect before the mode and the group of the socket are right: only then
    /// does it listen.
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
        let lock = hold_lock(path)?;
        clear(path)?;
        let (socket, held) = make(path, options).map_err(failed)?;
        let metadata = &held.metadata;
        let (device, inode) = (metadata.dev(), metadata.ino());
        let file = SocketFile { path: path.to_owned(), device, inode, _lock: lock };
        held.set_access(options).map_err(failed)?;
        listen(&socket, BACKLOG).map_err(|error| failed(error.into()))?;
        Ok((UnixListener::from(socket), file))
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

/// Removes the socket at `path` if nobody listens on it; anything else there is left alone.
fn clear(path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Socket { path: path.to_owned(), source };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(failed)?,
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    // We hold the lock, so it is no server of this kit; but another program may listen there.
    match try_to_connect(path) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path).map_err(failed),
        Err(Errno::NOENT) => Ok(()),
        // It is one for datagrams, or so many wait there that no more can.
        Ok(()) | Err(Errno::PROTOTYPE | Errno::AGAIN) => {
            Err(BindError::InUse { path: path.to_owned() })
        }
        Err(error) => Err(BindError::Untold { path: path.to_owned(), source: error.into() }),
    }
}

/// Makes the socket, to which nobody can connect yet: it is bound at the path that was configured, since Kapacitor
/// names that one in its errors.
fn make(path: &Path, options: &SocketOptions) -> io::Result<(OwnedFd, Held)> {
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    // On Linux, the file has this mode from the start, less what the umask takes away.
    #[cfg(target_os = "linux")]
    fchmod(&socket, Mode::from_raw_mode(options.mode))?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    Ok((socket, Held::new(path)?))
}

/// The file of a socket, held so that nothing else can take its place while its mode and group are set.
struct Held {
    metadata: fs::Metadata,
    /// A path that leads to it even when it has been moved.
    path: PathBuf,
    _file: Option<File>,
}

impl Held {
    #[cfg(target_os = "linux")]
    fn new(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let file = File::from(file);
        Ok(Held { metadata: file.metadata()?, path, _file: Some(file) })
    }

    #[cfg(not(target_os = "linux"))]
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Held { metadata: fs::symlink_metadata(path)?, path: path.to_owned(), _file: None })
    }

    fn set_access(&self, options: &SocketOptions) -> io::Result<()> {
        if !self.metadata.file_type().is_socket() {
            return Err(io::Error::other("something else has taken the place of the socket"));
        }
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
        };
        if options.group.is_some() {
            chown(&self.path, None, options.group).map_err(named)?;
        }
        fs::set_permissions(&self.path, Permissions::from_mode(options.mode)).map_err(named)
    }
}

/// Connects without waiting for room, which a program that hangs never makes.
fn try_to_connect(path: &Path) -> Result<(), Errno> {
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    ioctl_fionbio(&socket, true)?;
    connect(socket, &SocketAddrUnix::new(path)?)
}
