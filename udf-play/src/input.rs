//! The file that the page plays.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The size of a read from a file, in bytes.
const CHUNK: usize = 256 << 10;

/// The maximum size of a file that is kept in memory.
const MAX_KEPT: u64 = 64 << 20;

/// Why the input cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A pipe has more bytes than the page keeps.
    #[error(
        "`{}` is a pipe with more than {} MiB, which cannot be read again for each change; \
         write its content to a file, and play the file",
        path.display(),
        MAX_KEPT >> 20
    )]
    TooLarge {
        /// The path of the pipe, or `-`.
        path: PathBuf,
    },
}

/// A file of points that can be read repeatedly. A small file is kept in memory.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    /// Whether the path can be opened again.
    is_file: bool,
    kept: Mutex<Option<Arc<[u8]>>>,
}

impl Input {
    /// Opens a file, or stdin for `-`.
    ///
    /// # Errors
    /// When the file cannot be read, or when a pipe has more than 64 MiB.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        let failed = |error| InputError::Io { path: path.to_owned(), error };
        let mut input = Input { path: path.to_owned(), is_file: false, kept: Mutex::default() };
        if path == Path::new("-") {
            input.kept = Mutex::new(Some(input.keep(&mut io::stdin().lock())?));
            return Ok(input);
        }
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        input.is_file = metadata.is_file();
        if !input.is_file || metadata.len() <= MAX_KEPT {
            input.kept = Mutex::new(Some(input.keep(&mut file)?));
        }
        Ok(input)
    }

    /// Returns the path, as it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file again. The content of a pipe stays.
    pub(crate) fn refresh(&self) -> Result<(), InputError> {
        if self.is_file {
            let fresh = Input::open(&self.path)?.kept.into_inner();
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
                fresh.unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Returns a reader from the start of the input.
    pub(crate) fn reader(&self) -> Result<Box<dyn BufRead>, InputError> {
        if let Some(kept) = &*self.kept.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Box::new(Cursor::new(Arc::clone(kept))));
        }
        let file = File::open(&self.path);
        let file = file.map_err(|error| InputError::Io { path: self.path.clone(), error })?;
        Ok(Box::new(BufReader::with_capacity(CHUNK, file)))
    }

    fn keep(&self, from: &mut dyn Read) -> Result<Arc<[u8]>, InputError> {
        let path = || self.path.clone();
        let mut bytes = Vec::new();
        let read = from.take(MAX_KEPT + 1).read_to_end(&mut bytes);
        match read.map_err(|error| InputError::Io { path: path(), error })? as u64 {
            ..=MAX_KEPT => Ok(bytes.into()),
            _ => Err(InputError::TooLarge { path: path() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn content(input: &Input) -> String {
        let mut text = String::new();
        input.reader().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_changed_file_is_read_again_on_request() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one").unwrap();
        let input = Input::open(file.path()).unwrap();
        file.write_all(b" two").unwrap();
        assert_eq!(content(&input), "one");
        input.refresh().unwrap();
        assert_eq!(content(&input), "one two");
        drop(file);
        assert!(input.refresh().is_err());
        assert_eq!(content(&input), "one two", "the kept content stays");
    }

    #[test]
    fn a_large_file_is_not_kept_and_a_large_pipe_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_KEPT + 1).unwrap();
        let input = Input::open(file.path()).unwrap();
        assert!(input.kept.lock().unwrap().is_none());
        let endless = input.keep(&mut io::repeat(b' ')).map(|bytes| bytes.len());
        assert!(matches!(endless, Err(InputError::TooLarge { .. })));
    }
}
