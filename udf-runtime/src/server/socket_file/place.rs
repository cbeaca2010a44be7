//! The place of a socket: a name in a directory that is held open. Renaming or linking directories
//! between two steps therefore cannot lead us elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::fs::{flock, fstat, open, openat, statat, unlinkat};
use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, socket};
use rustix::process::geteuid;

use super::{BindError, SocketOptions};

/// The flags to hold a directory open. On Linux, the permission to search the directory suffices.
#[cfg(target_os = "linux")]
const HOLD: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const HOLD: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

/// Identifies a file independently of its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Identity { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A name in a directory that is held open.
#[derive(Debug)]
pub(super) struct Place {
    /// The path as configured. Kapacitor shows it in its errors.
    path: PathBuf,
    /// The absolute path, which is independent of the working directory.
    absolute: PathBuf,
    directory: File,
    /// The resolved path of the directory when it was opened, if known.
    origin: Option<PathBuf>,
    name: OsString,
}

impl Place {
    /// Opens the directory of `path`.
    pub(super) fn open(path: &Path) -> Result<Self, BindError> {
        let failed = |error| BindError::Socket { path: path.to_owned(), error };
        let Some(name) = path.file_name() else {
            let text = "it does not end in the name of a file";
            return Err(failed(io::Error::new(ErrorKind::InvalidInput, text)));
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let directory = match open(parent, HOLD | OFlags::DIRECTORY, Mode::empty()) {
            Ok(directory) => File::from(directory),
            Err(Errno::NOENT) => return Err(BindError::NoDirectory { path: path.to_owned() }),
            Err(error) => return Err(failed(error.into())),
        };
        let absolute = std::path::absolute(path).map_err(failed)?;
        let (origin, path, name) = (path_of(&directory), path.to_owned(), name.to_owned());
        Ok(Place { path, absolute, directory, origin, name })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a directory in which other users can replace the socket.
    pub(super) fn check(&self) -> Result<(), BindError> {
        let directory = self.directory.metadata().map_err(|error| self.failed(error))?;
        let (mode, owner) = (directory.mode() & 0o7777, directory.uid());
        let (user, at) = (geteuid().as_raw(), self.parent().display());
        let why = if owner != 0 && owner != user {
            format!("{at} belongs to user {owner}; run `chown {user} {at}`")
        } else if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            format!(
                "{at} has mode {mode:04o}; run `chmod go-w {at}`, or `chmod +t {at}` if others need to write there"
            )
        } else {
            return Ok(());
        };
        Err(BindError::SharedDirectory { path: self.path.clone(), why })
    }

    /// Takes the lock of the socket. The lock is held as long as the file is open.
    pub(super) fn lock(&self) -> Result<File, BindError> {
        let (name, path) = (locked(&self.name), PathBuf::from(locked(self.path.as_os_str())));
        // Without NONBLOCK, opening a FIFO would block until its other end is opened.
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = flags | OFlags::NOCTTY | OFlags::CLOEXEC;
        // Only the owner may open the lock: anyone who can open it could hold it, and prevent our
        // next start.
        let opened = openat(&self.directory, &name, flags, Mode::RUSR | Mode::WUSR);
        let kind = match &opened {
            Ok(lock) => fstat(lock),
            Err(_) => statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW),
        };
        let kind = kind.map(|found| FileType::from_raw_mode(found.st_mode)).ok();
        if let Some(what) = kind.and_then(no_file) {
            return Err(BindError::NotALock { path, what });
        }
        let lock = match opened {
            Ok(lock) => File::from(lock),
            Err(error @ (Errno::ACCESS | Errno::PERM)) => {
                return Err(BindError::Lock { path, error: error.into() });
            }
            // The lock could not be created, so the socket could not be created either.
            Err(error) => return Err(self.failed(error.into())),
        };
        let owner = lock.metadata().map_err(|error| self.failed(error))?.uid();
        if owner != geteuid().as_raw() {
            // The owner could hold the lock for ever.
            let error = io::Error::other(format!("it belongs to user {owner}"));
            return Err(BindError::Lock { path, error });
        }
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(lock),
            Err(Errno::WOULDBLOCK) => Err(BindError::InUse { path: self.path.clone() }),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Removes an existing socket if nobody listens on it. Leaves everything else alone.
    pub(super) fn clear(&self) -> Result<(), BindError> {
        let found = match self.hold() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            found => found.map_err(|error| self.failed(error))?,
        };
        if !found.metadata.file_type().is_socket() {
            return Err(BindError::NotASocket { path: self.path.clone() });
        }
        // We hold the lock, so no server of this kit is listening. Another program may be.
        match found.try_to_connect() {
            Err(Errno::CONNREFUSED) => {
                self.remove(&found.identity()).map_err(|error| self.failed(error))
            }
            // The socket is for datagrams, or its backlog is full.
            Ok(()) | Err(Errno::PROTOTYPE | Errno::AGAIN) => {
                Err(BindError::InUse { path: self.path.clone() })
            }
            Err(error) => Err(BindError::Untold { path: self.path.clone(), error: error.into() }),
        }
    }

    /// Creates the socket and holds its file. Nobody can connect yet, because the socket does not
    /// listen.
    ///
    /// The socket is bound at the configured path, because Kapacitor names that path in its errors.
    /// The path may lead elsewhere by now. The file in the directory is therefore ours only if the
    /// path leads to it.
    pub(super) fn make(&self, options: &SocketOptions) -> Result<(OwnedFd, Held), BindError> {
        let bound = || -> io::Result<OwnedFd> {
            let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
            fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
            // On Linux, the file gets this mode at its creation, minus the umask.
            #[cfg(target_os = "linux")]
            rustix::fs::fchmod(&socket, Mode::from_raw_mode(options.mode))?;
            bind(&socket, &SocketAddrUnix::new(&self.path)?)?;
            Ok(socket)
        };
        let socket = bound().map_err(|error| self.failed(error))?;
        match self.hold() {
            Ok(made) if made.is_ours() && self.leads_to(&made.identity()) => Ok((socket, made)),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(error)),
            _ => Err(BindError::Replaced { path: self.path.clone() }),
        }
    }

    /// Returns whether the path leads to this file. Returns true if this cannot be determined.
    pub(super) fn leads_to(&self, file: &Identity) -> bool {
        match fs::metadata(&self.absolute) {
            Ok(found) => Identity::of(&found) == *file,
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }

    /// Returns whether this file and its directory are still in their places. Returns true if this
    /// cannot be determined. It resolves no path, because a directory above could be on a file
    /// system that hangs.
    pub(super) fn has(&self, file: &Identity) -> bool {
        if path_of(&self.directory) != self.origin {
            return false;
        }
        match statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            // Following the link could hang as well.
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Symlink => true,
            Ok(found) => {
                // The type of a device number differs between systems.
                i128::from(found.st_dev) == i128::from(file.device) && found.st_ino == file.inode
            }
            Err(error) => !matches!(error, Errno::NOENT | Errno::NOTDIR),
        }
    }

    /// Removes this file if it is still in its place.
    pub(super) fn remove(&self, file: &Identity) -> io::Result<()> {
        match self.hold() {
            Ok(found) if found.identity() == *file => {
                Ok(unlinkat(&self.directory, &self.name, AtFlags::empty())?)
            }
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Holds the file at this name. Does not follow links.
    fn hold(&self) -> io::Result<Held> {
        #[cfg(target_os = "linux")]
        {
            let file = openat(&self.directory, &self.name, HOLD | OFlags::NOFOLLOW, Mode::empty())?;
            let number = file.as_raw_fd();
            let path = PathBuf::from(format!("/proc/self/fd/{number}"));
            let file = File::from(file);
            Ok(Held { metadata: file.metadata()?, path, _file: Some(file) })
        }
        #[cfg(not(target_os = "linux"))]
        Ok(Held {
            metadata: fs::symlink_metadata(&self.path)?,
            path: self.path.clone(),
            _file: None,
        })
    }

    fn parent(&self) -> &Path {
        self.absolute.parent().unwrap_or(&self.absolute)
    }

    fn failed(&self, error: io::Error) -> BindError {
        BindError::Socket { path: self.path.clone(), error }
    }
}

/// Returns the path of an open directory, if the system reports it.
fn path_of(directory: &File) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd())).ok()
}

/// Returns the name of the lock file.
fn locked(name: &OsStr) -> OsString {
    let mut name = name.to_owned();
    name.push(".lock");
    name
}

/// Returns the name of a file type other than a regular file.
fn no_file(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile => None,
        FileType::Symlink => Some("a symbolic link"),
        FileType::Fifo => Some("a FIFO"),
        FileType::Directory => Some("a directory"),
        FileType::Socket => Some("a socket"),
        _ => Some("a device"),
    }
}

/// A file that is held open, so that no other file can take its place while its mode and group are
/// set.
pub(super) struct Held {
    metadata: Metadata,
    /// A path that leads to the file even after a rename.
    path: PathBuf,
    _file: Option<File>,
}

impl Held {
    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.metadata)
    }

    /// Returns whether this can be the socket that this process has just created.
    fn is_ours(&self) -> bool {
        self.metadata.file_type().is_socket()
            && self.metadata.uid() == geteuid().as_raw()
            && self.metadata.nlink() == 1
    }

    pub(super) fn set_access(&self, options: &SocketOptions) -> io::Result<()> {
        if let Some(group) = options.group {
            chown(&self.path, None, Some(group)).map_err(|error| {
                let why = format!(
                    "it cannot be given to group {group}: {error}; only root and members of the group can do that"
                );
                io::Error::new(error.kind(), why)
            })?;
        }
        fs::set_permissions(&self.path, Permissions::from_mode(options.mode)).map_err(|error| {
            io::Error::new(error.kind(), format!("its mode cannot be set: {error}"))
        })
    }

    /// Connects without waiting for room in the backlog, which a program that hangs never makes.
    fn try_to_connect(&self) -> Result<(), Errno> {
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        ioctl_fionbio(&socket, true)?;
        connect(socket, &SocketAddrUnix::new(&self.path)?)
    }
}
