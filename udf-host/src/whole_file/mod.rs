//! Files that are replaced as a whole: after a crash, a file is the old one or the new one.
//!
//! The [state file](crate::state_file) and the checkpoints of a supervisor are such files. The
//! errors are those of the system: the caller knows what the file is for, and adds the path.
//!
//! A directory that other users can write to is not refused: a file is used only if it belongs to
//! the user of this process, and no link is followed. Other users can then delete files, but not
//! make one.

#[cfg(test)]
mod tests;

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags, access};
use rustix::process::geteuid;

/// A file that is replaced as a whole. It is locked as long as this value lives.
///
/// ```
/// use udf_host::whole_file::{WholeFile, open_directory};
///
/// # let directory = tempfile::tempdir()?;
/// # let directory = directory.path();
/// let path = directory.join("cpu.state");
/// let lock = directory.join("cpu.lock");
/// let file = WholeFile::open(open_directory(directory)?, path, &lock)?.expect("it is not locked");
/// file.replace([b"head", b"body"], |_| Ok(()))?;
/// assert_eq!(file.read(1 << 20)?, Ok(b"headbody".to_vec()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct WholeFile {
    directory: File,
    path: PathBuf,
    /// The lock is held as long as the file is open.
    _lock: File,
}

/// Why a file is not used, although it can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It is a directory, a link, or a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// It belongs to this user.
    #[error("it belongs to user {0}, and not to the user of this process")]
    Owner(u32),
    /// It is larger than its reader allows.
    #[error("it is larger than any snapshot")]
    TooLarge,
}

/// The steps of [`WholeFile::replace`], in their order. A crash can come after each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The new file exists beside the old one.
    Created,
    /// The new file has its first part.
    HalfWritten,
    /// The new file has all its content.
    Written,
    /// The disk has stored the new file.
    Synced,
    /// The new file has replaced the old one.
    Renamed,
}

impl Step {
    /// All steps.
    pub const ALL: [Step; 5] =
        [Step::Created, Step::HalfWritten, Step::Written, Step::Synced, Step::Renamed];
}

/// Opens a directory.
///
/// # Errors
/// Returns an error of the kind [`ErrorKind::NotADirectory`] if the path is another file.
pub fn open_directory(path: &Path) -> io::Result<File> {
    let directory = File::open(path)?;
    if directory.metadata()?.is_dir() {
        return Ok(directory);
    }
    Err(ErrorKind::NotADirectory.into())
}

/// Checks that this process can replace files in a directory.
///
/// # Errors
/// Returns the error that writing a file there would meet.
pub fn check_writable(directory: &Path) -> io::Result<()> {
    Ok(access(directory, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Returns why a file could not be used, or none if it could be or does not exist.
///
/// # Errors
/// Returns an error if the directory cannot be searched.
pub fn unfit(path: &Path) -> io::Result<Option<Unfit>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(check_file(&metadata).err()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the path with a suffix: `cpu.state` and `.new` make `cpu.state.new`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

impl WholeFile {
    /// Locks the file at `path`, which need not exist, by the file at `lock`. Both stand in this
    /// directory. Returns none if the lock is held, in this process or another.
    ///
    /// # Errors
    /// Returns an error if the lock cannot be opened, or may be that of another user.
    pub fn open(directory: File, path: PathBuf, lock: &Path) -> io::Result<Option<Self>> {
        let lock = options().write(true).create(true).open(lock)?;
        check_file(&lock.metadata()?)
            .map_err(|why| io::Error::other(format!("{why}; remove it")))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(WholeFile { directory, path, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file, which may have up to `most` bytes.
    ///
    /// # Errors
    /// Returns an error of the kind [`ErrorKind::NotFound`] if there is no file.
    pub fn read(&self, most: usize) -> io::Result<Result<Vec<u8>, Unfit>> {
        let file = match options().read(true).open(&self.path) {
            Ok(file) => file,
            // A link or a socket.
            Err(error) => match fs::symlink_metadata(&self.path) {
                Ok(metadata) if !metadata.is_file() => return Ok(Err(Unfit::NotAFile)),
                _ => return Err(error),
            },
        };
        let metadata = file.metadata()?;
        if let Err(why) = check_file(&metadata) {
            return Ok(Err(why));
        }
        if metadata.len() > most as u64 {
            return Ok(Err(Unfit::TooLarge));
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        // The file may grow while it is read.
        file.take(most as u64 + 1).read_to_end(&mut bytes)?;
        Ok(if bytes.len() > most { Err(Unfit::TooLarge) } else { Ok(bytes) })
    }

    /// Replaces the file by these two parts, durably. Blocks until the disk has stored them. Only
    /// the owner may use the new file. `after` is called after each step.
    ///
    /// # Errors
    /// Returns an error if a step fails, for example because the disk is full, or the error that
    /// `after` returns. The old file stays, except after [`Step::Renamed`].
    pub fn replace(
        &self,
        parts: [&[u8]; 2],
        mut after: impl FnMut(Step) -> io::Result<()>,
    ) -> io::Result<()> {
        let new = with_suffix(&self.path, ".new");
        let replaced = write_to(&new, parts, &mut after).and_then(|()| {
            fs::rename(&new, &self.path)?;
            after(Step::Renamed)?;
            // Makes the new name durable.
            self.directory.sync_all()
        });
        if replaced.is_err() {
            // Frees the disk.
            let _ = fs::remove_file(&new);
        }
        replaced
    }

    /// Removes the file, durably. No error if there is none.
    ///
    /// # Errors
    /// Returns the error of the system.
    pub fn remove(&self) -> io::Result<()> {
        remove_if_exists(&self.path)?;
        self.directory.sync_all()
    }

    /// Moves the file aside, to its path with the suffix `.unusable`, where one file is kept.
    /// Returns the new path.
    ///
    /// # Errors
    /// Returns the error of the system.
    pub fn set_aside(&self) -> io::Result<PathBuf> {
        let moved_to = with_suffix(&self.path, ".unusable");
        fs::rename(&self.path, &moved_to)?;
        Ok(moved_to)
    }
}

fn write_to(
    new: &Path,
    [first, second]: [&[u8]; 2],
    after: &mut impl FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
    // A crash may have left a file.
    remove_if_exists(new)?;
    let mut file = options().write(true).create_new(true).open(new)?;
    after(Step::Created)?;
    file.write_all(first)?;
    after(Step::HalfWritten)?;
    file.write_all(second)?;
    after(Step::Written)?;
    file.sync_all()?;
    after(Step::Synced)
}

fn remove_if_exists(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// Returns options that follow no link, and do not block at a FIFO. Only the owner may use a file
/// that they create.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
    options
}

/// Refuses a file that another user may have made.
fn check_file(metadata: &Metadata) -> Result<(), Unfit> {
    if metadata.is_file() {
        check_owner(metadata, geteuid().as_raw())
    } else {
        Err(Unfit::NotAFile)
    }
}

fn check_owner(metadata: &Metadata, user: u32) -> Result<(), Unfit> {
    if metadata.uid() == user { Ok(()) } else { Err(Unfit::Owner(metadata.uid())) }
}
