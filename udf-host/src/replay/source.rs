//! Detects the kind of an input by its first bytes: text or batches, with or without gzip.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::error::SourceError;
use super::recording::BatchReader;

/// The size of the pieces in which decompressed bytes are read.
const CHUNK: usize = 64 << 10;

/// How far an input is read.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The number of bytes that were taken.
    pub(super) bytes: Cell<u64>,
    /// The number of bytes that have arrived and were not taken.
    pub(super) left: Cell<usize>,
}

/// An input, classified by its first bytes.
pub(super) enum Source<'a> {
    /// Line protocol, or a recording of points.
    Text(Box<dyn BufRead + 'a>),
    /// A recording of batches.
    Batches(BatchReader<Box<dyn BufRead + 'a>>),
}

/// The first bytes of unsupported compressed formats, their names, and commands that decompress
/// them.
const COMPRESSED: [(&[u8], &str, &str); 3] = [
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -d"),
    (b"\xfd7zX", "xz", "xz -d"),
    (b"BZh", "bzip2", "bzip2 -d"),
];

/// Classifies `input`. Keeps `position` up to date.
pub(super) fn open<'a>(
    input: impl BufRead + 'a,
    position: Rc<Position>,
) -> Result<Source<'a>, SourceError> {
    let mut input: Box<dyn BufRead> = Box::new(Counted { inner: input, position });
    let mut start = head(&mut input)?;
    if start.starts_with(b"\x1f\x8b") {
        let decoder = Unzipped(MultiGzDecoder::new(Cursor::new(start).chain(input)));
        input = Box::new(BufReader::with_capacity(CHUNK, decoder));
        start = head(&mut input)?;
    }
    for (magic, name, command) in COMPRESSED {
        if start.starts_with(magic) {
            return Err(SourceError::Compressed { name, command });
        }
    }
    let archived = matches!(start[..], [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6]);
    let json = matches!(start[..], [b'{', b'"' | b' ' | b'\t' | b'\r' | b'\n', ..]);
    let input: Box<dyn BufRead> = Box::new(Cursor::new(start).chain(input));
    Ok(match (archived, json) {
        (true, _) => Source::Batches(BatchReader::of_archive(input)),
        (_, true) => Source::Batches(BatchReader::of_json(input)),
        _ => Source::Text(input),
    })
}

/// Reads the first four bytes, or fewer at the end of the input.
fn head(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(4).read_to_end(&mut head)?;
    Ok(head)
}

/// Counts the bytes read.
struct Counted<R> {
    inner: R,
    position: Rc<Position>,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.inner.fill_buf()?;
        self.position.left.set(buffer.len());
        Ok(buffer)
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        let Position { bytes, left } = &*self.position;
        bytes.set(bytes.get() + amount as u64);
        left.set(left.get().saturating_sub(amount));
        self.inner.consume(amount);
    }
}

/// Adds the name of the compression to errors, since the reader of the decompressed data does not
/// know of the compression. The errors have the kind `Other`, so that this reader does not mistake
/// them for its own.
struct Unzipped<R>(R);

impl<R: Read> Read for Unzipped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                io::Error::other("the gzip data ends too early: the file is not complete")
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                io::Error::other(format!("the gzip data is damaged: {error}"))
            }
            _ => error,
        })
    }
}
