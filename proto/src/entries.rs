//! Counts the entries of a message before prost decodes it.
//!
//! An entry of a list or a map may take two bytes on the wire and a hundred in memory. A message that
//! has more of them than [`MAX_ENTRIES`] is refused, so that decoding costs no more than some MiB
//! beyond the bytes of the message. No message that Kapacitor or a UDF sends comes near.

use crate::point::{Record, Records};

/// The most entries that a message may have, of all its lists and maps together: calls of options and
/// their arguments, options and their types, tags, dimensions and fields.
///
/// A point that is read in place, as nearly all are, may have more.
pub const MAX_ENTRIES: usize = 1 << 16;

/// A message that is not decoded, although its bytes may be well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntriesError {
    /// It has more than [`MAX_ENTRIES`] entries.
    #[error("more than {MAX_ENTRIES} {}", .0.text())]
    TooMany(Entries),
    /// An entry has the wrong wire type, which prost would not see in a map.
    #[error("one of the {} has the wrong wire type", .0.text())]
    WrongType(Entries),
}

/// What the entries of a message are.
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

/// The members of a message that have entries in them.
type Shape = &'static [(u32, Member)];

#[derive(Clone, Copy)]
enum Member {
    /// A message by itself.
    Message(Shape),
    /// Each record is an entry, and a message.
    Entry(Shape),
    /// Numbers, each of which is an entry, alone or packed.
    Numbers,
}

const ENTRY: Member = Member::Entry(&[]);
const CALLS: Shape = &[(1, Member::Entry(&[(2, ENTRY)]))];
const OPTIONS: Shape = &[(3, Member::Entry(&[(2, Member::Message(&[(1, Member::Numbers)]))]))];
const BEGIN: Shape = &[(3, ENTRY)];
const END: Shape = &[(4, ENTRY)];
const POINT: Shape = &[(6, ENTRY), (7, ENTRY), (8, ENTRY), (9, ENTRY), (10, ENTRY), (12, ENTRY)];

/// The kinds of a message with entries in them, by their number.
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

/// Counts over all records of the message: prost merges those of one kind.
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

/// The records up to the first that is malformed, where prost stops too.
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
                // Each number ends with a byte that has no high bit.
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
