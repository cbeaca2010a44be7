//! What a received frame asks for, its point left where it lies.

use prost::Message as _;

use crate::Init;
use crate::init::InitError;
use crate::messages::{BeginBatch, EndBatch, Request, request};
use crate::point::{Point, PointError, PointIndex};
use crate::wire;

/// A request, decoded as far as it must be to act on it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incoming<'a> {
    /// What is this UDF?
    Info,
    /// Start with these options. The error is one for the InitResponse.
    Init(Result<Init, InitError>),
    /// Echo this time.
    Keepalive {
        /// Nanoseconds since the epoch.
        time: i64,
    },
    /// Hand out the state.
    Snapshot,
    /// Take this state.
    Restore {
        /// The bytes of the snapshot.
        snapshot: Vec<u8>,
    },
    /// A batch begins.
    Begin(BeginBatch),
    /// A point.
    Point(Point<'a>),
    /// The batch ends.
    End(EndBatch),
    /// Nothing, or of a kind that is not known here: it comes from a newer Kapacitor.
    Unknown,
}

/// A frame that is no request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The frame is not a message of this protocol.
    #[error("malformed request: {0}")]
    Message(#[from] prost::DecodeError),
    /// The frame carries a point, which is malformed.
    #[error(transparent)]
    Point(#[from] PointError),
}

/// The key of `point` in Request and Response: number 17, length-delimited.
pub(crate) const POINT: [u8; 2] = [0x8a, 0x01];

/// Decodes a frame that Kapacitor sent. `index` and `spare` lend their room.
///
/// A point is indexed and validated in place, everything else is decoded by prost. A message that names
/// its point several times, which protobuf would merge, is merged in `spare`.
///
/// # Errors
/// When the frame is not a request, or its point is malformed.
#[inline]
pub fn decode<'a>(
    frame: &'a [u8],
    index: &'a mut PointIndex,
    spare: &'a mut Vec<u8>,
) -> Result<Incoming<'a>, RequestError> {
    if let [0x8a, 0x01, rest @ ..] = frame
        && let Ok((length, start)) = wire::varint(rest, 0)
        && length == (rest.len() - start) as u64
    {
        return Ok(Incoming::Point(index.parse(&rest[start..])?));
    }
    decode_other(frame, index, spare)
}

fn decode_other<'a>(
    frame: &'a [u8],
    index: &'a mut PointIndex,
    spare: &'a mut Vec<u8>,
) -> Result<Incoming<'a>, RequestError> {
    use request::Message;
    Ok(match Request::decode(frame)?.message {
        Some(Message::Info(_)) => Incoming::Info,
        Some(Message::Init(init)) => Incoming::Init(Init::try_from(init)),
        Some(Message::Keepalive(keepalive)) => Incoming::Keepalive { time: keepalive.time },
        Some(Message::Snapshot(_)) => Incoming::Snapshot,
        Some(Message::Restore(restore)) => Incoming::Restore { snapshot: restore.snapshot },
        Some(Message::Begin(begin)) => Incoming::Begin(begin),
        Some(Message::Point(point)) => {
            spare.clear();
            point.encode_raw(spare);
            Incoming::Point(index.parse(spare)?)
        }
        Some(Message::End(end)) => Incoming::End(end),
        None => Incoming::Unknown,
    })
}
