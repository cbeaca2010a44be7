//! The state directory: it keeps the last checkpoint of each task and node.
//!
//! Each task and node has two files. `TASK@NODE.state` is the checkpoint. A save writes a new file
//! beside it, and renames that file over the checkpoint. So a crash leaves either the old or the
//! new checkpoint, whole. `TASK@NODE.lock` is locked while a connection uses the checkpoint. Both
//! may be deleted while no connection uses them.
//!
//! The names of tasks and nodes come from the network. They are encoded so that no name leads to
//! another directory, and no two names lead to the same file.
//!
//! A directory that other users can write to is not refused, as that of a socket is: a file is used
//! only if it belongs to the user of this process, and no link is followed. Other users can then
//! delete checkpoints, but not make one.

mod saved;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use udf_host::whole_file::{self, Step, WholeFile, with_suffix};
use udf_proto::frame::MAX_LIMIT;

use self::saved::FIXED;
pub(crate) use self::saved::{Given, Saved, Unusable};
use crate::agent::shortage;

/// The maximum length of the name of a file, in bytes.
const MAX_NAME: usize = 255;

/// The longest suffix of a name.
const UNUSABLE: &str = ".state.unusable";

/// A snapshot fits into a frame, and a name into the name of a file.
const MAX_FILE: usize = FIXED + 2 * MAX_NAME + MAX_LIMIT;

/// The checkpoint file of a task and node, locked.
#[derive(Debug)]
pub(crate) struct Store {
    file: WholeFile,
    task: String,
    node: String,
}

/// Why a checkpoint could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("cannot read the checkpoint {}: {}", path.display(), shortage::text(error))]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot use the checkpoint {}: {why}; it was moved to {}", path.display(), moved_to.display())]
    MovedAside { path: PathBuf, why: Unusable, moved_to: PathBuf },
    #[error("cannot use the checkpoint {}: {why}; remove it", path.display())]
    Left { path: PathBuf, why: Unusable },
}

/// Checks that checkpoints can be kept in this directory.
///
/// # Errors
/// Returns an error that says what to do if the directory does not exist, or this process cannot
/// write to it.
pub(crate) fn check(directory: &Path) -> io::Result<()> {
    open_directory(directory)?;
    whole_file::check_writable(directory).map_err(|error| {
        let (user, path) = (geteuid().as_raw(), directory.display());
        let text = format!("user {user} cannot write to the state directory {path}: {error}");
        io::Error::new(error.kind(), text)
    })
}

impl Store {
    /// Opens the checkpoint of a task and node. Returns none if another connection uses it, in this
    /// process or another.
    ///
    /// # Errors
    /// Returns an error that names the path if the directory or the lock cannot be opened, or the
    /// names are too long.
    pub(crate) fn open(directory: &Path, task: &str, node: &str) -> io::Result<Option<Self>> {
        let name = file_name(task, node)?;
        let base = directory.join(name);
        let directory = open_directory(directory)?;
        let lock = with_suffix(&base, ".lock");
        let file = WholeFile::open(directory, with_suffix(&base, ".state"), &lock)
            .map_err(|error| failed("open the lock", &lock, error))?;
        let (task, node) = (task.to_owned(), node.to_owned());
        Ok(file.map(|file| Store { file, task, node }))
    }

    /// Returns the path of the checkpoint.
    pub(crate) fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// Loads the checkpoint. Returns none if there is none.
    ///
    /// # Errors
    /// Returns an error if there is a file that cannot be read, or is not a checkpoint of this task
    /// and node. Such a file is moved aside, where one file is kept. The next save succeeds.
    pub(crate) fn load(&self) -> Result<Option<Saved>, StoreError> {
        let path = self.path();
        match self.read() {
            Ok(Ok(saved)) => Ok(Some(saved)),
            Ok(Err(why)) => Err(match self.file.set_aside() {
                Ok(moved_to) => StoreError::MovedAside { path, why, moved_to },
                Err(_) => StoreError::Left { path, why },
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Read { path, error }),
        }
    }

    fn read(&self) -> io::Result<Result<Saved, Unusable>> {
        let bytes = self.file.read(MAX_FILE)?;
        Ok(bytes.map_err(Unusable::from).and_then(|it| saved::decode(it, &self.task, &self.node)))
    }

    /// Replaces the checkpoint, durably. Blocks until the disk has stored it.
    ///
    /// # Errors
    /// Returns an error that names the path, for example if the disk is full. The previous
    /// checkpoint stays.
    pub(crate) fn save(&self, snapshot: &[u8], given: Given) -> io::Result<()> {
        self.replace(snapshot, given, |_| Ok(()))
    }

    fn replace(
        &self,
        snapshot: &[u8],
        given: Given,
        after: impl FnMut(Step) -> io::Result<()>,
    ) -> io::Result<()> {
        let head = saved::head(&self.task, &self.node, given, snapshot);
        self.file
            .replace([&head, snapshot], after)
            .map_err(|error| failed("save the checkpoint", self.file.path(), error))
    }
}

fn failed(what: &str, path: &Path, error: io::Error) -> io::Error {
    let kind = error.kind();
    io::Error::new(kind, format!("cannot {what} {}: {}", path.display(), shortage::text(&error)))
}

fn open_directory(path: &Path) -> io::Result<File> {
    let failed = |error: io::Error| {
        let (kind, path) = (error.kind(), path.display());
        let text = match kind {
            ErrorKind::NotFound => format!(
                "the state directory {path} does not exist; run `mkdir -m 700 {path}` as the user \
                 of this program"
            ),
            _ => format!("cannot open the state directory {path}: {}", shortage::text(&error)),
        };
        io::Error::new(kind, text)
    };
    whole_file::open_directory(path).map_err(failed)
}

/// Returns the name of the files of a task and node, without a suffix. Letters and digits of any
/// alphabet, `-`, `_`, and `.` behind the first character, stand for themselves. Other characters
/// are encoded as in URLs.
fn file_name(task: &str, node: &str) -> io::Result<String> {
    let mut name = String::new();
    encode(task, &mut name);
    name.push('@');
    encode(node, &mut name);
    if name.len() + UNUSABLE.len() <= MAX_NAME {
        return Ok(name);
    }
    let text = format!(
        "the names of the task and the node are too long for the name of a file: \
         they may have up to {} bytes together, and special characters count three times",
        MAX_NAME - UNUSABLE.len() - 1
    );
    Err(io::Error::new(ErrorKind::InvalidInput, text))
}

fn encode(text: &str, name: &mut String) {
    for char in text.chars() {
        if char.is_alphanumeric() || matches!(char, '-' | '_') || char == '.' && !name.is_empty() {
            name.push(char);
        } else {
            let mut bytes = [0; 4];
            for byte in char.encode_utf8(&mut bytes).bytes() {
                name.push_str(&format!("%{byte:02X}"));
            }
        }
        if name.len() > MAX_NAME {
            // Too long already.
            return;
        }
    }
}
