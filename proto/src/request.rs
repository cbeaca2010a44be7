//! Decodes requests. Points stay in the frame.

use std::borrow::Cow;

use prost::Message as _;

use crate::batch::{BeginBatch, EndBatch};
use crate::entries::{self, Entries, EntriesError};
use crate::init::{Init, InitError};
use crate::messages::{Request, request};
use crate::point::{Point, PointError, PointIndex, Record, Records};
use crate::wire;

/// A request, decoded as far as needed to handle it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incoming<'a> {
    /// Asks for the description of the UDF.
    Info,
    /// Starts the UDF with these options. An error belongs into the InitResponse.
    Init(Result<Init, InitError>),
    /// Asks for an echo of this time.
    Keepalive {
        /// Nanoseconds since the epoch.
        time: i64,
    },
    /// Asks for the state of the UDF.
    Snapshot,
    /// Restores this state.
    Restore {
        /// The bytes of the snapshot. Borrowed from the frame unless the frame contains other
        /// members.
        snapshot: Cow<'a, [u8]>,
    },
    /// A batch begins.
    Begin(BeginBatch),
    /// A point.
    Point(Point<'a>),
    /// The batch ends.
    End(EndBatch),
    /// An empty request, or a request of an unknown kind from a newer Kapacitor.
    Unknown,
}

/// Why a frame is not a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The frame is not a message of this protocol.
    #[error("malformed request: {0}")]
    Message(String),
    /// The point in the frame is malformed.
    #[error(transparent)]
    Point(#[from] PointError),
    /// The frame has too many entries. If an Init has too many, [`Incoming::Init`] contains the
    /// error instead.
    #[error("malformed request: {0}")]
    Entries(EntriesError),
}

impl From<prost::DecodeError> for RequestError {
    fn from(error: prost::DecodeError) -> Self {
        RequestError::Message(error.to_string())
    }
}

impl From<EntriesError> for RequestError {
    fn from(error: EntriesError) -> Self {
        RequestError::Entries(error)
    }
}

/// The number of `restore` in Request.
const RESTORE: u32 = 5;

/// The number of `point` in Request and Response.
const POINT: u32 = 17;

/// The key of `point`: its number, and the wire type for length-delimited records.
pub(crate) const POINT_KEY: [u8; 2] = [0x8a, 0x01];

/// Decodes a frame from Kapacitor. `index` and `spare` are buffers, which every call reuses.
///
/// Indexes and validates a point in place. prost decodes every other message. If a message contains
/// several points, they are merged in `spare`, as protobuf demands. Between the Begin and the End
/// of a batch, `index` gives the name of the batch to points without a name.
///
/// # Errors
/// If the frame is not a request, or its point is malformed.
///
/// ```
/// use udf_proto::frame::FrameReader;
/// use udf_proto::point::PointIndex;
/// use udf_proto::request::{self, Incoming};
///
/// // Two frames: a keepalive sent at 5 ns, and a point with no more than its time, 7 ns.
/// let mut frames = FrameReader::new(&[4, 0x1a, 2, 0x08, 5, 5, 0x8a, 0x01, 2, 0x08, 7][..]);
/// let (mut index, mut spare) = (PointIndex::new(), Vec::new());
/// let mut seen = Vec::new();
/// while let Some(frame) = frames.next_frame()? {
///     match request::decode(frame, &mut index, &mut spare)? {
///         Incoming::Keepalive { time } => seen.push(("keepalive", time)),
///         Incoming::Point(point) => seen.push(("point", point.time())),
///         other => panic!("{other:?}"),
///     }
/// }
/// assert_eq!(seen, [("keepalive", 5), ("point", 7)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn decode<'a>(
    frame: &'a [u8],
    index: &'a mut PointIndex,
    spare: &'a mut Vec<u8>,
) -> Result<Incoming<'a>, RequestError> {
    if let Some(point) = point_bytes(frame) {
        return Ok(Incoming::Point(index.parse(point)?));
    }
    if is_point(frame) { merge(frame, index, spare) } else { decode_other(frame, index, spare) }
}

/// Returns the encoding of the point in `frame`, without copying it.
///
/// Returns none unless the frame contains exactly one point and nothing else. Use [`decode`] for
/// other frames.
#[inline]
pub fn point_bytes(frame: &[u8]) -> Option<&[u8]> {
    let rest = frame.strip_prefix(&POINT_KEY)?;
    let (length, start) = wire::varint(rest, 0).ok()?;
    (length == (rest.len() - start) as u64).then(|| &rest[start..])
}

/// Returns whether a message contains points, and no other known members.
fn is_point(frame: &[u8]) -> bool {
    let mut points = 0;
    for record in Records::new(frame) {
        match record {
            Ok(Record { member: POINT, body: Some(_), .. }) => points += 1,
            Ok(Record { member: POINT | 1..=5 | 16 | 18, .. }) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    points > 0
}

/// Merges several encoded points. In protobuf, merging messages is concatenating their encodings.
fn merge<'a>(
    frame: &'a [u8],
    index: &'a mut PointIndex,
    spare: &'a mut Vec<u8>,
) -> Result<Incoming<'a>, RequestError> {
    let mut last = &frame[..0];
    spare.clear();
    // Frees the memory that one very large point needed.
    spare.shrink_to(64 << 10);
    for record in Records::new(frame).flatten().filter(|record| record.member == POINT) {
        // Parsed separately, so that a truncated record is not completed by the next point.
        index.parse(last)?;
        spare.extend_from_slice(last);
        last = &frame[record.body.unwrap_or_default().range()];
    }
    if spare.is_empty() {
        return Ok(Incoming::Point(index.parse(last)?));
    }
    spare.extend_from_slice(last);
    Ok(Incoming::Point(index.parse(spare)?))
}

/// Returns the snapshot of a frame that contains a Restore and nothing else, without copying it.
fn snapshot_bytes(frame: &[u8]) -> Option<&[u8]> {
    let restore = only_record(frame, RESTORE)?;
    if restore.is_empty() { Some(restore) } else { only_record(restore, 1) }
}

/// Returns the body of the record `member` of a message without other records.
fn only_record(message: &[u8], member: u32) -> Option<&[u8]> {
    let mut records = Records::new(message);
    let record = records.next()?.ok().filter(|record| record.member == member)?;
    let body = &message[record.body?.range()];
    records.next().is_none().then_some(body)
}

fn decode_other<'a>(
    frame: &'a [u8],
    index: &'a mut PointIndex,
    spare: &'a mut Vec<u8>,
) -> Result<Incoming<'a>, RequestError> {
    use request::Message;
    if let Some(snapshot) = snapshot_bytes(frame) {
        return Ok(Incoming::Restore { snapshot: Cow::Borrowed(snapshot) });
    }
    match entries::check_request(frame) {
        Err(EntriesError::TooMany(Entries::Calls)) => {
            return Ok(Incoming::Init(Err(InitError::TooManyCalls)));
        }
        counted => counted?,
    }
    Ok(match Request::decode(frame)?.message {
        Some(Message::Info(_)) => Incoming::Info,
        Some(Message::Init(init)) => Incoming::Init(Init::try_from(init)),
        Some(Message::Keepalive(keepalive)) => Incoming::Keepalive { time: keepalive.time },
        Some(Message::Snapshot(_)) => Incoming::Snapshot,
        Some(Message::Restore(restore)) => {
            Incoming::Restore { snapshot: Cow::Owned(restore.snapshot) }
        }
        Some(Message::Begin(begin)) => {
            index.set_batch(&begin.name);
            Incoming::Begin(begin.into())
        }
        // The point follows a message of another kind and replaces it.
        Some(Message::Point(point)) => {
            spare.clear();
            point.encode_raw(spare);
            Incoming::Point(index.parse(spare)?)
        }
        Some(Message::End(end)) => {
            index.set_batch("");
            Incoming::End(end.into())
        }
        None => Incoming::Unknown,
    })
}
