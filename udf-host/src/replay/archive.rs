//! The files of a zip archive, one after the other.

use std::io::{self, BufRead, BufReader, Read};

use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;

use super::error::RecordingProblem;

/// Reads the files of an archive in the order in which they were written, or a single file.
///
/// Kapacitor writes the lengths of a file after the file, and zip libraries seek to the end of the
/// archive for them. Here the compressed data shows its own end, so an archive can be read from a
/// pipe.
pub(super) struct Files<R: BufRead> {
    state: State<R>,
}

type File<R> = BufReader<CrcReader<DeflateDecoder<R>>>;

enum State<R: BufRead> {
    /// Before the header of a file, or at the end.
    Between(R),
    /// Within a single file without an archive.
    Single(R),
    /// Within a file. Its checksum is in its header, or after it.
    File { file: Box<File<R>>, checksum: Option<u32> },
    /// After the last file, or after an error.
    Ended,
}

const FILE: u32 = 0x0403_4b50;
const DIRECTORY: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LENGTHS: u32 = 0x0807_4b50;

const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;
const LENGTHS_FOLLOW: u16 = 8;

impl<R: BufRead> Files<R> {
    pub(super) fn of_archive(reader: R) -> Self {
        Files { state: State::Between(reader) }
    }

    pub(super) fn single(reader: R) -> Self {
        Files { state: State::Single(reader) }
    }

    /// Returns whether the input is an archive, not a single file.
    pub(super) fn is_archive(&self) -> bool {
        !matches!(self.state, State::Single(_))
    }

    /// Returns the file that is being read.
    pub(super) fn file(&mut self) -> Option<&mut dyn Read> {
        match &mut self.state {
            State::File { file, .. } => Some(file),
            State::Single(file) => Some(file),
            State::Between(_) | State::Ended => None,
        }
    }

    /// Moves to the next file. Returns false at the end.
    pub(super) fn next_file(&mut self) -> Result<bool, RecordingProblem> {
        let mut reader = match std::mem::replace(&mut self.state, State::Ended) {
            State::Between(reader) => reader,
            State::File { file, checksum } => finish(*file, checksum)?,
            State::Single(_) | State::Ended => return Ok(false),
        };
        match take_u32(&mut reader)? {
            FILE => {}
            // The directory of all files ends the archive.
            DIRECTORY | END => return Ok(false),
            _ => {
                return Err(RecordingProblem::Damaged(
                    "other bytes follow where a file must begin",
                ));
            }
        }
        let header: [u8; 26] = take(&mut reader)?;
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let (flags, method, name, extra) = (half(2), half(4), half(22), half(24));
        if flags & ENCRYPTED != 0 {
            return Err(RecordingProblem::Foreign("it is encrypted"));
        }
        if method != DEFLATED {
            return Err(RecordingProblem::Foreign("a file in it is not deflated"));
        }
        let checksum = u32::from(half(10)) | u32::from(half(12)) << 16;
        skip(&mut reader, u64::from(name) + u64::from(extra))?;
        let file = BufReader::new(CrcReader::new(DeflateDecoder::new(reader)));
        let checksum = (flags & LENGTHS_FOLLOW == 0).then_some(checksum);
        self.state = State::File { file: Box::new(file), checksum };
        Ok(true)
    }
}

/// Reads the rest of a file and the descriptor after it. Returns the reader at the start of the
/// next file.
fn finish<R: BufRead>(mut file: File<R>, checksum: Option<u32>) -> Result<R, RecordingProblem> {
    io::copy(&mut file, &mut io::sink())?;
    let file = file.into_inner();
    let actual = file.crc().sum();
    let decoder = file.into_inner();
    let is_large = decoder.total_in().max(decoder.total_out()) >= u64::from(u32::MAX);
    let mut reader = decoder.into_inner();
    let checksum = match checksum {
        Some(checksum) => checksum,
        None => {
            let checksum = match take_u32(&mut reader)? {
                // The signature before the checksum is optional.
                LENGTHS => take_u32(&mut reader)?,
                checksum => checksum,
            };
            // The two lengths have 8 bytes each in Zip64.
            skip(&mut reader, if is_large { 16 } else { 8 })?;
            checksum
        }
    };
    if checksum == actual {
        Ok(reader)
    } else {
        Err(RecordingProblem::Damaged("the checksum of a file does not match"))
    }
}

fn take<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], RecordingProblem> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn take_u32(reader: &mut impl Read) -> Result<u32, RecordingProblem> {
    take(reader).map(u32::from_le_bytes)
}

fn skip(reader: &mut impl Read, length: u64) -> Result<(), RecordingProblem> {
    if io::copy(&mut reader.take(length), &mut io::sink())? == length {
        Ok(())
    } else {
        Err(RecordingProblem::CutShort)
    }
}
