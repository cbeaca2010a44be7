//! The state file: it keeps the state of a UDF between two runs.
//!
//! A save replaces the file as a whole: after a crash or with a full disk, the file is the old one
//! or the new one. `PATH.lock` is locked while a process uses the file.

mod content;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::process::geteuid;
use udf_proto::frame::MAX_LIMIT;
use udf_text::line_protocol::Grouping;
use udf_text::message::{cut, one_line};
use udf_text::rfc3339::Utc;

use self::content::{Content, VERSION, decode, head};
use crate::whole_file::{self, Unfit, WholeFile, with_suffix};

/// A snapshot fits into a frame, and the names into the arguments of a program.
const MAX_FILE: usize = MAX_LIMIT + (1 << 20);

/// The maximum length of a name or a grouping in a message.
const MAX_NAME: usize = 256;

/// Where the state of a UDF is kept between two runs. Locked as long as it lives.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use udf_host::state_file::{StateFile, StateOf};
/// use udf_text::line_protocol::Grouping;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("moving_avg.state");
/// let grouping = Grouping::parse("host,cpu");
/// let of = StateOf { udf: "moving_avg", grouping: &grouping };
/// let file = StateFile::open(&path)?.expect("no other process uses it");
/// file.save(&of, b"the snapshot", SystemTime::now())?;
/// let max_age = Some(Duration::from_secs(3600));
/// assert_eq!(file.load(&of, max_age, SystemTime::now())?, Some(b"the snapshot".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StateFile(WholeFile);

/// What the state in a file belongs to. Other state is not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateOf<'a> {
    /// The name of the UDF.
    pub udf: &'a str,
    /// The grouping of its points. State is kept by group.
    pub grouping: &'a Grouping,
}

/// Why a state file could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The system returned an error.
    #[error("cannot read the state file {}: {error}", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The file is not one that this run can continue with. It is left as it is.
    #[error("cannot use the state file {}: {why}", path.display())]
    Unusable {
        /// The path of the file.
        path: PathBuf,
        /// What is the matter with the file.
        why: Unusable,
    },
}

/// Why a run cannot continue with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// The file itself is not used, whatever it holds.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The file was not written by [`StateFile::save`].
    #[error("it is not a state file")]
    NotAStateFile,
    /// The file has this version of the format.
    #[error("its format has version {0}, and this program reads version {VERSION}")]
    Version(u32),
    /// The content does not match its checksum.
    #[error("it is cut or damaged")]
    Damaged,
    /// The state is that of another UDF.
    #[error(
        "it holds the state of the UDF {:?}; this UDF is {expected:?}",
        cut(found.clone(), MAX_NAME)
    )]
    AnotherUdf {
        /// The name in the file.
        found: String,
        /// The name of the UDF of this run.
        expected: String,
    },
    /// The state is that of points that were grouped otherwise.
    #[error(
        "it holds the state of points that were grouped by {}; this run groups them by {}",
        one_line(&found.to_string(), MAX_NAME), one_line(&expected.to_string(), MAX_NAME)
    )]
    AnotherGrouping {
        /// The grouping in the file.
        found: Grouping,
        /// The grouping of this run.
        expected: Grouping,
    },
    /// The state is older than this run accepts.
    #[error(
        "it was saved {} ago, at {}; this run accepts state of up to {}",
        Age(*age), Utc(*saved), Age(*max_age)
    )]
    TooOld {
        /// The time of the save.
        saved: SystemTime,
        /// The time since.
        age: Duration,
        /// The limit.
        max_age: Duration,
    },
}

impl StateFile {
    /// Locks the state file at `path`, which need not exist. Its directory must exist. Returns none
    /// if another process holds the lock, or another `StateFile` of this process.
    ///
    /// # Errors
    /// Returns an error that names the path, and says what to do, if the directory is missing or
    /// cannot be written to, the path is not a regular file, or a file belongs to another user.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let failed = |kind, why: String| {
            let text = format!("cannot use the state file {}: {why}", path.display());
            io::Error::new(kind, text)
        };
        let user = geteuid().as_raw();
        let named_like_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if path.is_dir() || named_like_directory || path.file_name().is_none() {
            let why = "this path is a directory; add the name of a file".to_owned();
            return Err(failed(ErrorKind::IsADirectory, why));
        }
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let directory = whole_file::open_directory(parent)
            .and_then(|directory| whole_file::check_writable(parent).map(|()| directory))
            .map_err(|error| failed(error.kind(), no_directory(parent, user, &error)))?;
        let lock = with_suffix(path, ".lock");
        // Otherwise, opening a file might fail for a reason that hides this one.
        let mut foreign = Vec::new();
        for file in [path, &lock] {
            match whole_file::unfit(file)
                .map_err(|error| failed(error.kind(), error.to_string()))?
            {
                None => {}
                Some(Unfit::Owner(owner)) => foreign.push((file, owner)),
                Some(_) => {
                    let why = format!(
                        "{} is not a regular file; remove it, or choose another path",
                        file.display()
                    );
                    return Err(failed(ErrorKind::InvalidInput, why));
                }
            }
        }
        if let Some(why) = of_another_user(&foreign, user) {
            return Err(failed(ErrorKind::PermissionDenied, why));
        }
        match WholeFile::open(directory, path.to_owned(), &lock) {
            Ok(file) => Ok(file.map(StateFile)),
            Err(error) => {
                let why = format!("cannot open the lock {}: {error}", lock.display());
                Err(failed(error.kind(), why))
            }
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Loads the state. Returns none if there is no file.
    ///
    /// `max_age` limits the time between the save and `now`. A save that lies in the future counts
    /// as new: the clock was set back.
    ///
    /// # Errors
    /// Returns [`LoadError::Unusable`] if the file is damaged, has another version, is too old, or
    /// belongs to another UDF or grouping; [`StateFile::set_aside`] then makes room for another.
    pub fn load(
        &self,
        of: &StateOf<'_>,
        max_age: Option<Duration>,
        now: SystemTime,
    ) -> Result<Option<Vec<u8>>, LoadError> {
        let path = || self.path().to_owned();
        let bytes = match self.0.read(MAX_FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LoadError::Read { path: path(), error }),
        };
        let content = bytes.map_err(Unusable::from).and_then(decode);
        match content.and_then(|content| fitting(content, of, max_age, now)) {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(why) => Err(LoadError::Unusable { path: path(), why }),
        }
    }

    /// Replaces the file, durably. Blocks until the disk has stored it.
    ///
    /// An empty snapshot is that of a UDF without state. It removes the file: the next run then
    /// starts without state, and not with state from earlier. So `load` never returns an empty
    /// snapshot. A caller should log that the UDF has no state to keep.
    ///
    /// # Errors
    /// Returns an error that names the path, for example if the disk is full. The previous file
    /// stays.
    pub fn save(&self, of: &StateOf<'_>, snapshot: &[u8], now: SystemTime) -> io::Result<()> {
        let saved = if snapshot.is_empty() {
            self.0.remove()
        } else {
            let head = head(of, snapshot, now);
            match head.len() + snapshot.len() {
                length if length > MAX_FILE => Err(io::Error::new(
                    ErrorKind::FileTooLarge,
                    format!("it would have {length} bytes, and {MAX_FILE} are the most"),
                )),
                _ => self.0.replace([&head, snapshot], |_| Ok(())),
            }
        };
        saved.map_err(|error| self.failed("save", &error))
    }

    /// Moves the file aside, to `PATH.unusable`, where one file is kept. Returns the new path.
    ///
    /// # Errors
    /// Returns an error that names the path.
    pub fn set_aside(&self) -> io::Result<PathBuf> {
        self.0.set_aside().map_err(|error| self.failed("move aside", &error))
    }

    fn failed(&self, what: &str, error: &io::Error) -> io::Error {
        let path = self.path().display();
        io::Error::new(error.kind(), format!("cannot {what} the state file {path}: {error}"))
    }
}

/// Returns the snapshot if this run can continue with it.
fn fitting(
    content: Content,
    of: &StateOf<'_>,
    max_age: Option<Duration>,
    now: SystemTime,
) -> Result<Vec<u8>, Unusable> {
    let Content { udf, grouping, saved, snapshot } = content;
    if udf != of.udf {
        return Err(Unusable::AnotherUdf { found: udf, expected: of.udf.to_owned() });
    }
    if grouping != *of.grouping {
        let expected = of.grouping.clone();
        return Err(Unusable::AnotherGrouping { found: grouping, expected });
    }
    // An error means that the save lies in the future.
    let age = now.duration_since(saved).unwrap_or_default();
    match max_age {
        Some(max_age) if age > max_age => Err(Unusable::TooOld { saved, age, max_age }),
        _ => Ok(snapshot),
    }
}

/// Returns what to do about a directory that files cannot be replaced in.
fn no_directory(path: &Path, user: u32, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound => format!(
            "the directory {shown} does not exist; run `install -d -m 700 -o {user} {shown}` as root"
        ),
        ErrorKind::PermissionDenied => format!(
            "user {user} cannot use the directory {shown}: {error}; choose a directory that \
             belongs to this user (`install -d -m 700 -o {user} DIRECTORY`, as root, creates one)"
        ),
        ErrorKind::ReadOnlyFilesystem => format!(
            "the directory {shown} is read-only: {error}; under systemd, add \
             `ReadWritePaths={shown}` to the unit of the service"
        ),
        _ => format!("cannot use the directory {shown}: {error}"),
    }
}

/// Returns what to do about files that belong to other users than `user`, if there are any.
fn of_another_user(files: &[(&Path, u32)], user: u32) -> Option<String> {
    let (first, owner) = files.first()?;
    let shown = first.display();
    let why = format!("{shown} belongs to user {owner}, and this process runs as user {user}");
    // The service runs as the owner, and would not get a file back that root has taken.
    if user == 0 {
        return Some(format!("{why}; run it as user {owner}"));
    }
    let all: Vec<_> = files.iter().map(|(file, _)| file.display().to_string()).collect();
    Some(format!("{why}; run `chown {user} {}` as root", all.join(" ")))
}

/// A duration for people, with its two largest units.
struct Age(Duration);

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
        let Some(first) = units.iter().position(|(length, _)| seconds >= *length) else {
            return write!(f, "{}ms", self.0.as_millis());
        };
        let mut rest = seconds;
        for (i, (length, unit)) in units.iter().enumerate().skip(first).take(2) {
            let number = rest / length;
            rest %= length;
            if i == first || number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}
