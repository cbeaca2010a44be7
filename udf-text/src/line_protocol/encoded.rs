//! Writes encoded points as lines in one pass, without an index.

use udf_proto::point::{RawText, RawValue, VisitParts, visit_parts};

use super::digits;
use super::limits::{MAX_TIME, MIN_TIME};
use super::words::find;

/// The longest point that is written in one pass. Its line is not longer than `MAX_KEY`.
const LONGEST: usize = 8 << 10;

/// A line is at most twice as long as its point, and this.
const SPARE: usize = 64;

/// The bytes that are checked at once.
const BLOCK: usize = 32;

/// Appends the line of `point`, the encoding of one Point message. Returns false, and leaves `out`
/// unchanged, if only [`append_point`](super::append_point) can tell whether the point has a line.
///
/// The line is the one that `append_point` appends, in less than half of the time. Use this function
/// for the output of a UDF, which needs no index then:
///
/// ```
/// use udf_proto::point::PointIndex;
/// use udf_text::line_protocol::{Grouping, LineReader, append_encoded, append_point};
///
/// # fn append(bytes: &[u8], index: &mut PointIndex, out: &mut Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
/// if !append_encoded(bytes, out) {
///     append_point(index.parse(bytes)?, out)?;
/// }
/// # Ok(())
/// # }
/// # let (mut frame, mut out) = (Vec::new(), Vec::new());
/// # let text = "cpu,host=a usage=1.5 10\n";
/// # let line = LineReader::new(text.as_bytes(), Grouping::none()).next_frame(&mut frame)?;
/// # let line = line.expect("there is one line");
/// # append(&frame[line.point], &mut PointIndex::new(), &mut out)?;
/// # assert_eq!(out, text.as_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The function returns false for these points:
///
/// - invalid points, and points that have no line
/// - points without a name, as within a batch
/// - points with a name that needs a backslash, or with an empty value of a tag
/// - points in which a name may occur twice
/// - points of more than 8 KiB, or of more than 128 tags and fields
pub fn append_encoded(point: &[u8], out: &mut Vec<u8>) -> bool {
    if point.len() > LONGEST {
        return false;
    }
    let start = out.len();
    out.resize(start + 2 * point.len() + SPARE, 0);
    let mut room = Room {
        bytes: &mut out[start..],
        at: 0,
        name_end: 0,
        key_end: 0,
        time: 0,
        checks: Checks::default(),
    };
    let length = visit_parts(point, &mut room).and_then(|()| room.end());
    out.truncate(start + length.unwrap_or(0));
    length.is_some()
}

/// The room for a line. A method returns none if the room is too small, or if the line is not a
/// usual one.
struct Room<'a> {
    bytes: &'a mut [u8],
    /// The end of the line so far. The bytes behind it have no meaning.
    at: usize,
    /// The end of the measurement, which may come behind other parts.
    name_end: usize,
    /// The end of the tags, which may come behind fields.
    key_end: usize,
    time: i64,
    checks: Checks,
}

impl<'a> VisitParts<'a> for Room<'_> {
    #[inline(always)]
    fn time(&mut self, nanos: i64) -> Option<()> {
        self.time = nanos;
        Some(())
    }

    #[inline(always)]
    fn name(&mut self, name: RawText<'a>) -> Option<()> {
        let start = self.at;
        self.text(name)?;
        self.name_end = self.at - start;
        self.key_end += self.name_end;
        self.move_back(start, 0)
    }

    #[inline(always)]
    fn tag(&mut self, name: RawText<'a>, value: RawText<'a>) -> Option<()> {
        if value.is_empty() {
            return None;
        }
        let start = self.at;
        self.byte(b',')?;
        self.text(name)?;
        self.byte(b'=')?;
        self.text(value)?;
        self.checks.needed += 2;
        let key_end = self.key_end;
        self.key_end += self.at - start;
        self.move_back(start, key_end)
    }

    #[inline(always)]
    fn field(&mut self, name: RawText<'a>, value: RawValue<'a>) -> Option<()> {
        // Readers skip these bytes before a field.
        if matches!(name.bytes(), [b'\t' | 0, ..]) {
            return None;
        }
        self.byte(if self.at == self.key_end { b' ' } else { b',' })?;
        self.text(name)?;
        self.byte(b'=')?;
        self.checks.needed += 2;
        match value {
            RawValue::Float(value) => self.float(value),
            RawValue::Int(value) => {
                self.int(value)?;
                self.byte(b'i')
            }
            RawValue::Bool(value) => self.bytes(if value { b"true" } else { b"false" }),
            RawValue::String(text) => {
                self.check()?;
                self.quoted(text.bytes())?;
                self.checks.skip_text(text.bytes(), self.at);
                Some(())
            }
        }
    }
}

impl Room<'_> {
    /// Ends the line, and returns its length.
    #[inline(always)]
    fn end(mut self) -> Option<usize> {
        let has_field = self.at > self.key_end;
        self.check()?;
        self.byte(b' ')?;
        self.int(self.time)?;
        self.byte(b'\n')?;
        let line = self.bytes.get(..self.at)?;
        let is_usual = self.name_end > 0
            && !matches!(line, [b'#' | b'\t' | 0, ..])
            && has_field
            && (MIN_TIME..=MAX_TIME).contains(&self.time)
            && self.checks.hold(line);
        is_usual.then_some(line.len())
    }

    /// Checks the bytes up to the end of the line so far.
    #[inline(always)]
    fn check(&mut self) -> Option<()> {
        self.checks.check(self.bytes, self.at)
    }

    /// Moves the bytes from `start` on back to `to`.
    #[inline(always)]
    fn move_back(&mut self, start: usize, to: usize) -> Option<()> {
        if start != to {
            self.check()?;
            self.bytes.get_mut(to..self.at)?.rotate_right(self.at - start);
        }
        Some(())
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.at)? = byte;
        self.at += 1;
        Some(())
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.bytes.get_mut(self.at..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    #[inline(always)]
    fn text(&mut self, text: RawText<'_>) -> Option<()> {
        let Some((chunk, length)) = text.chunk() else { return self.bytes(text.bytes()) };
        *self.bytes.get_mut(self.at..)?.first_chunk_mut()? = *chunk;
        self.at += length;
        Some(())
    }

    #[inline(always)]
    fn int(&mut self, value: i64) -> Option<()> {
        let room = self.bytes.get_mut(self.at..)?.first_chunk_mut()?;
        self.at += digits::int(value, room)?;
        Some(())
    }

    #[inline(always)]
    fn float(&mut self, value: f64) -> Option<()> {
        let room = self.bytes.get_mut(self.at..)?.first_chunk_mut()?;
        self.at += digits::float(value, room)?;
        Some(())
    }

    #[inline(always)]
    fn quoted(&mut self, text: &[u8]) -> Option<()> {
        self.byte(b'"')?;
        let mut start = 0;
        loop {
            let special = find(text, start, *b"\"\\");
            self.bytes(text.get(start..special)?)?;
            let Some(&byte) = text.get(special) else { break };
            self.bytes(&[b'\\', byte])?;
            start = special + 1;
        }
        self.byte(b'"')
    }
}

/// What the names and values of a line are checked for, all at once.
#[derive(Default)]
struct Checks {
    /// The end of the checked bytes.
    end: usize,
    /// The bytes that have a meaning outside of strings.
    separators: usize,
    /// Those that the parts need. One more is part of a name, and needs a backslash.
    needed: usize,
    /// Whether bytes are not ASCII.
    has_others: bool,
}

impl Checks {
    /// Checks the bytes up to the end of the line.
    #[inline(always)]
    fn check(&mut self, line: &mut [u8], end: usize) -> Option<()> {
        let length = end.checked_sub(self.end)?;
        let (blocks, _) = line.get_mut(self.end..)?.as_chunks_mut::<BLOCK>();
        let blocks = blocks.get_mut(..length / BLOCK + 1)?;
        // No byte behind the line counts.
        blocks.last_mut()?[length % BLOCK..].fill(0);
        let (separators, all) = count_separators(blocks);
        self.separators += separators;
        self.has_others |= all >= 0x80;
        self.end = end;
        Some(())
    }

    /// Skips a text that was written up to `end`.
    #[inline(always)]
    fn skip_text(&mut self, text: &[u8], end: usize) {
        self.has_others |= !text.is_ascii();
        self.end = end;
    }

    /// Returns whether no part needs a backslash, and all are UTF-8.
    #[inline(always)]
    fn hold(&self, line: &[u8]) -> bool {
        // All bytes around the parts are ASCII, so the line is UTF-8 if all parts are.
        self.separators == self.needed && (!self.has_others || std::str::from_utf8(line).is_ok())
    }
}

/// Returns how many bytes have a meaning within a line outside of strings, and all bits of the
/// bytes.
#[inline(always)]
fn count_separators(blocks: &[[u8; BLOCK]]) -> (usize, u8) {
    let (mut total, mut all) = (0, [0; BLOCK]);
    // A sum of one byte cannot overflow.
    for blocks in blocks.chunks(255) {
        let mut counts = [0_u8; BLOCK];
        for block in blocks {
            for (at, &byte) in block.iter().enumerate() {
                counts[at] += u8::from(matches!(byte, b' ' | b',' | b'=' | b'\\' | b'\n'));
                all[at] |= byte;
            }
        }
        total += counts.iter().map(|count| usize::from(*count)).sum::<usize>();
    }
    (total, all.iter().fold(0, |all, byte| all | byte))
}
