//! The content of a state file.
//!
//! | bytes | content |
//! | --- | --- |
//! | 8 | `UDFLINES` |
//! | 4 | the version of the format |
//! | 4 | the CRC-32 of all bytes behind it |
//! | 8 | the time of the save: nanoseconds since 1970 |
//! | 1 | the grouping: 1 for all tags, plus 2 for the measurement |
//! | 4, 4, 8 | the length of the name of the UDF, the number of tags, the length of the snapshot |
//! | | the name of the UDF |
//! | | for each tag of the grouping: 4 bytes of length, and its name |
//! | | the snapshot |
//!
//! Numbers are little-endian.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crc32fast::Hasher;
use udf_text::line_protocol::Grouping;

use super::{StateOf, Unusable};

const MAGIC: [u8; 8] = *b"UDFLINES";

pub(super) const VERSION: u32 = 1;

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) udf: String,
    pub(super) grouping: Grouping,
    pub(super) saved: SystemTime,
    pub(super) snapshot: Vec<u8>,
}

/// Returns the bytes of a file that stand before the snapshot.
pub(super) fn head(of: &StateOf<'_>, snapshot: &[u8], saved: SystemTime) -> Vec<u8> {
    let tags: Vec<_> = of.grouping.tags().collect();
    let mut body = Vec::new();
    // A clock before 1970 is a clock that is not set.
    let saved = saved.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    body.extend(u64::try_from(saved).unwrap_or(u64::MAX).to_le_bytes());
    let grouping = (of.grouping.has_all_tags(), of.grouping.is_by_name());
    body.push(u8::from(grouping.0) | u8::from(grouping.1) << 1);
    // `save` refuses files whose lengths would not fit.
    body.extend((of.udf.len() as u32).to_le_bytes());
    body.extend((tags.len() as u32).to_le_bytes());
    body.extend((snapshot.len() as u64).to_le_bytes());
    body.extend(of.udf.as_bytes());
    for tag in tags {
        body.extend((tag.len() as u32).to_le_bytes());
        body.extend(tag.as_bytes());
    }
    let mut crc = Hasher::new();
    crc.update(&body);
    crc.update(snapshot);
    [&MAGIC[..], &VERSION.to_le_bytes(), &crc.finalize().to_le_bytes(), &body].concat()
}

/// Decodes a file.
pub(super) fn decode(mut file: Vec<u8>) -> Result<Content, Unusable> {
    let rest = &mut file.strip_prefix(&MAGIC).ok_or(Unusable::NotAStateFile)?;
    let version = take(rest).map(u32::from_le_bytes).ok_or(Unusable::Damaged)?;
    if version != VERSION {
        return Err(Unusable::Version(version));
    }
    let (udf, grouping, saved, length) = body(rest).ok_or(Unusable::Damaged)?;
    file.drain(..file.len() - length);
    Ok(Content { udf, grouping, saved, snapshot: file })
}

fn body(rest: &mut &[u8]) -> Option<(String, Grouping, SystemTime, usize)> {
    let crc = take(rest).map(u32::from_le_bytes)?;
    if crc32fast::hash(rest) != crc {
        return None;
    }
    let saved = Duration::from_nanos(u64::from_le_bytes(take(rest)?));
    let [flags] = take(rest)?;
    let udf = u32::from_le_bytes(take(rest)?) as usize;
    let tags = u32::from_le_bytes(take(rest)?);
    let snapshot = u64::from_le_bytes(take(rest)?);
    let udf = text(rest.split_off(..udf)?)?;
    let mut names = Vec::new();
    for _ in 0..tags {
        // A number that is too large fails here, when the bytes have run out.
        let length = u32::from_le_bytes(take(rest)?) as usize;
        names.push(text(rest.split_off(..length)?)?);
    }
    let grouping = match flags & 1 {
        0 => Grouping::by(names),
        _ => Grouping::by_all_tags(),
    };
    let is_whole = rest.len() as u64 == snapshot;
    let grouping = grouping.by_name(flags & 2 != 0);
    is_whole.then_some((udf, grouping, UNIX_EPOCH.checked_add(saved)?, rest.len()))
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}
