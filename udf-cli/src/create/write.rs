//! Writes the files of a new crate: all of them, or none.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Why a crate was not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum CreateError {
    /// The directory exists and is not empty, or a file has this path.
    Exists(PathBuf),
    /// The directory that is to contain the new one does not exist.
    NoParent(PathBuf),
    /// A file or directory cannot be written.
    Io(PathBuf, io::Error),
}

impl std::fmt::Display for CreateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CreateError::Exists(path) => write!(
                f,
                "`{}` exists already and is not an empty directory; choose another name, or remove it",
                path.display()
            ),
            CreateError::NoParent(path) => {
                write!(f, "there is no directory `{}`; create it first", path.display())
            }
            CreateError::Io(path, error) => write!(f, "cannot write `{}`: {error}", path.display()),
        }
    }
}

impl std::error::Error for CreateError {}

/// A directory that is removed, unless it is kept.
struct Unfinished {
    path: PathBuf,
    is_kept: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_kept {
            // Fails only if the directory is gone, or the file system fails.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes files, given by their paths within `directory`. The directory must be empty or not
/// exist. It appears with all files, or not at all: the files are written to a hidden directory
/// beside it, which then gets its name.
///
/// # Errors
/// When the directory is not empty, or the files cannot be written.
pub fn write(directory: &Path, files: &[(String, String)]) -> Result<(), CreateError> {
    check(directory)?;
    write_beside(directory, files)
}

/// Checks whether a directory can be created at this path, or is empty.
///
/// # Errors
/// When it cannot.
pub fn check(directory: &Path) -> Result<(), CreateError> {
    match fs::read_dir(directory).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Ok(false) => return Err(CreateError::Exists(directory.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotADirectory && directory.exists() => {
            return Err(CreateError::Exists(directory.to_owned()));
        }
        Err(error) => return Err(CreateError::Io(directory.to_owned(), error)),
    }
    let parent = parent(directory);
    if parent.is_dir() { Ok(()) } else { Err(CreateError::NoParent(parent.to_owned())) }
}

/// Returns the directory that contains this one.
pub(crate) fn parent(directory: &Path) -> &Path {
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn write_beside(directory: &Path, files: &[(String, String)]) -> Result<(), CreateError> {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let hidden = parent(directory).join(format!(".{name}.new-{}", std::process::id()));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CreateError::Io(path, error)
    };
    fs::create_dir(&hidden).map_err(failed(directory))?;
    let mut unfinished = Unfinished { path: hidden, is_kept: false };
    for (path, text) in files {
        let (shown, path) = (directory.join(path), unfinished.path.join(path));
        let written = (|| {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
            file.write_all(text.as_bytes())
        })();
        written.map_err(failed(&shown))?;
    }
    // Replaces only an empty directory: the system refuses to replace any other.
    fs::rename(&unfinished.path, directory).map_err(|error| match error.kind() {
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            CreateError::Exists(directory.to_owned())
        }
        _ => CreateError::Io(directory.to_owned(), error),
    })?;
    unfinished.is_kept = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn file(path: &str) -> (String, String) {
        (path.to_owned(), format!("text of {path}"))
    }

    #[test]
    fn a_directory_appears_with_all_files() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("new");
        write(&directory, &[file("a"), file("src/b")]).unwrap();
        assert_eq!(
            (entries(parent.path()), entries(&directory)),
            (vec!["new".into()], vec!["a".into(), "src".into()])
        );
        assert_eq!(fs::read_to_string(directory.join("src/b")).unwrap(), "text of src/b");
    }

    #[test]
    fn an_empty_directory_is_filled_and_any_other_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("new");
        fs::create_dir(&directory).unwrap();
        write(&directory, &[file("a")]).unwrap();
        let error = write(&directory, &[file("b")]).unwrap_err();
        assert!(matches!(error, CreateError::Exists(_)), "{error}");
        assert_eq!(entries(&directory), ["a"]);
        let error = write(&directory.join("a"), &[file("b")]).unwrap_err();
        assert!(matches!(error, CreateError::Exists(_)), "{error}");
        let error = write(&parent.path().join("no/such"), &[file("b")]).unwrap_err();
        assert!(matches!(error, CreateError::NoParent(_)), "{error}");
        assert_eq!(entries(parent.path()), ["new"]);
    }

    #[test]
    fn nothing_is_left_of_a_crate_that_cannot_be_written() {
        let parent = tempfile::tempdir().unwrap();
        // A file of this name is in the way of the directory.
        let error = write(&parent.path().join("new"), &[file("src"), file("src/b")]).unwrap_err();
        assert!(error.to_string().starts_with("cannot write `"), "{error}");
        assert!(error.to_string().contains("/new/src/b`: "), "{error}");
        assert_eq!(entries(parent.path()), [""; 0]);
    }
}
