//! Counts the entries of a message before prost decodes it.
//!
//! The wire needs two bytes for an entry of a list or a map; memory needs up to a hundred. Messages
//! with more than [`MAX_ENTRIES`] entries are refused, which limits the cost of decoding to a few
//! MiB beyond the bytes of the message. Messages from Kapacitor and from UDFs stay far below this
//! limit.

use crate::point::{Record, Records};

/// The maximum number of entries in a message, over all its lists and maps: calls of options and
/// their arguments, options and their types, tags, dimensions and fields.
///
/// A point that is read in place may have more. Nearly all points are read in place.
pub const MAX_ENTRIES: usize = 1 << 16;

/// A message that is refused before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntriesError {
    /// The message has more than [`MAX_ENTRIES`] entries.
    #[error("more than {MAX_ENTRIES} {}", .0.text())]
    TooMany(Entries),
    /// An entry has the wrong wire type. prost does not check the wire type of map entries.
    #[error("one of the {} has the wrong wire type", .0.text())]
    WrongType(Entries),
}

/// The kind of entries in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entries {
    /// Calls of options in Init, and their arguments.
    Calls,
    /// Options in an Info response, and the types of their arguments.
    Options,
    /// Tags of the begin or the end of a batch.
    BatchTags,
    /// Dimensions, tags and fields of a point.
    PointParts,
}

impl Entries {
    fn text(self) -> &'static str {
        match self {
            Entries::Calls => "calls of options and arguments",
            Entries::Options => "options and types of arguments",
            Entries::BatchTags => "tags of a batch",
            Entries::PointParts => "dimensions, tags and fields of a point",
        }
    }
}

/// The members of a message that contain entries.
type Shape = &'static [(u32, Member)];

#[derive(Clone, Copy)]
enum Member {
    /// One message, which is not an entry.
    Message(Shape),
    /// Messages, each of which is an entry.
    Entry(Shape),
    /// Numbers, each of which is an entry. They may be packed.
    Numbers,
}

const ENTRY: Member = Member::Entry(&[]);
const CALLS: Shape = &[(1, Member::Entry(&[(2, ENTRY)]))];
const OPTIONS: Shape = &[(3, Member::Entry(&[(2, Member::Message(&[(1, Member::Numbers)]))]))];
const BEGIN: Shape = &[(3, ENTRY)];
const END: Shape = &[(4, ENTRY)];
const POINT: Shape = &[(6, ENTRY), (7, ENTRY), (8, ENTRY), (9, ENTRY), (10, ENTRY), (12, ENTRY)];

/// The kinds of messages that contain entries, by their number.
type Kinds = &'static [(u32, Entries, Shape)];

const DATA: [(u32, Entries, Shape); 3] = [
    (16, Entries::BatchTags, BEGIN),
    (17, Entries::PointParts, POINT),
    (18, Entries::BatchTags, END),
];
const REQUEST: Kinds = &[(2, Entries::Calls, CALLS), DATA[0], DATA[1], DATA[2]];
const RESPONSE: Kinds = &[(1, Entries::Options, OPTIONS), DATA[0], DATA[1], DATA[2]];

/// Counts the entries of a Request.
pub(crate) fn check_request(frame: &[u8]) -> Result<(), EntriesError> {
    check(frame, REQUEST)
}

/// Counts the entries of a Response.
pub(crate) fn check_response(frame: &[u8]) -> Result<(), EntriesError> {
    check(frame, RESPONSE)
}

/// Counts the entries in all records of the message: prost merges the records of one kind.
fn check(frame: &[u8], kinds: Kinds) -> Result<(), EntriesError> {
    let mut left = MAX_ENTRIES;
    for Record { member, body, .. } in records(frame) {
        let kind = kinds.iter().find(|(number, ..)| *number == member);
        if let (Some((_, entries, shape)), Some(body)) = (kind, body) {
            count(&frame[body.range()], shape, &mut left).map_err(|refused| refused(*entries))?;
        }
    }
    Ok(())
}

/// Returns the records up to the first malformed one, where prost stops too.
fn records(bytes: &[u8]) -> impl Iterator<Item = Record> + '_ {
    Records::new(bytes).map_while(Result::ok)
}

type Refused = fn(Entries) -> EntriesError;

fn count(bytes: &[u8], shape: Shape, left: &mut usize) -> Result<(), Refused> {
    let take = |entries: usize, left: &mut usize| -> Result<(), Refused> {
        *left = left.checked_sub(entries).ok_or(EntriesError::TooMany as Refused)?;
        Ok(())
    };
    for Record { member, body, .. } in records(bytes) {
        let Some((_, kind)) = shape.iter().find(|(number, _)| *number == member) else { continue };
        let body = body.map(|span| &bytes[span.range()]);
        match (kind, body) {
            (Member::Numbers, None) => take(1, left)?,
            (Member::Numbers, Some(packed)) => {
                // The last byte of each number has no high bit.
                take(packed.iter().filter(|byte| **byte < 0x80).count(), left)?;
            }
            (Member::Message(shape), Some(body)) => count(body, shape, left)?,
            (Member::Entry(shape), Some(body)) => {
                take(1, left)?;
                if !shape.is_empty() {
                    count(body, shape, left)?;
                }
            }
            (Member::Message(_) | Member::Entry(_), None) => return Err(EntriesError::WrongType),
        }
    }
    Ok(())
}
