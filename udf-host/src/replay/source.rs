//! Detects the kind of an input by its first bytes: text or batches, with or without gzip.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::error::SourceError;
use super::recording::BatchReader;

/// The size of the pieces in which decompressed bytes are read.
const CHUNK: usize = 64 << 10;

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

/// The state of the reading of an input.
#[derive(Default)]
pub(super) struct Counts {
    /// The number of bytes read from the input.
    pub(super) read: Cell<u64>,
    /// The number of bytes up to the last line break that has been read. At 0, the next line may
    /// have to be waited for.
    pub(super) whole: Cell<usize>,
}

/// Classifies `input`.
pub(super) fn open<'a>(
    input: impl BufRead + 'a,
    counts: Rc<Counts>,
) -> Result<Source<'a>, SourceError> {
    let mut input: Box<dyn BufRead> =
        Box::new(Counted { inner: input, counts: Rc::clone(&counts) });
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
        _ => Source::Text(Box::new(Watched { inner: input, left: 0, counts })),
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
    counts: Rc<Counts>,
}

impl<R> Counted<R> {
    fn count(&self, bytes: usize) {
        self.counts.read.set(self.counts.read.get() + bytes as u64);
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count(amount);
        self.inner.consume(amount);
    }
}

/// Shows whether the next line has already been read.
struct Watched<R> {
    inner: R,
    /// The number of bytes that were read and not consumed.
    left: usize,
    counts: Rc<Counts>,
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.inner.fill_buf()?;
        if self.left == 0 {
            self.left = bytes.len();
            let last = bytes.iter().rposition(|byte| *byte == b'\n');
            self.counts.whole.set(last.map_or(0, |last| last + 1));
        }
        Ok(bytes)
    }

    fn consume(&mut self, amount: usize) {
        self.left -= amount;
        self.counts.whole.set(self.counts.whole.get().saturating_sub(amount));
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
