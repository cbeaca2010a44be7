//! The thread that reads from the UDF. It trusts no byte of the input.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use udf_proto::frame::{FrameError, FrameReader};
use udf_proto::messages::response::Message;
use udf_proto::point::PointIndex;
use udf_proto::{BeginBatch, EdgeType, EndBatch, Info, Point, PointBuf, Points, response};
use udf_text::batch::WholeBatch;

use super::queue::{OfferResult, Queue};
use super::shared::{Phase, Shared};
use super::sink::Sink;
use crate::diagnosis::{Broken, fill_frames, text};
use crate::error::{Error, Limit, RequestKind};

/// The approximate memory of a tag beyond its text: its entry in a map.
const TAG_COST: usize = 96;

/// The most points that are handed on at once.
const TOGETHER: usize = 256;

/// Reads until the UDF closes its output or breaks the protocol, or until the connection is
/// aborted.
pub(crate) fn run<R: Read>(shared: &Arc<Shared>, mut frames: FrameReader<R>) {
    let mut reader = Reader {
        shared,
        index: PointIndex::new(),
        open: None,
        points: VecDeque::new(),
        batches: VecDeque::new(),
        provides: shared.settings.provides,
        begun: false,
        sink: None,
    };
    let mut ended = reader.read(&mut frames);
    // Data before the end is delivered. The end itself does not wait for the owner to read it.
    shared.points.force(&mut reader.points);
    ended = ended.and(reader.pause_sink());
    // Without any data, the reader has not taken the sink.
    drop(shared.take_sink());
    if let Err(Ended::Fault(error)) = ended {
        shared.abort(error);
    }
}

struct Reader<'s> {
    shared: &'s Arc<Shared>,
    index: PointIndex,
    open: Option<Open>,
    /// The received points that are not yet handed on, each with its cost.
    points: VecDeque<(PointBuf, usize)>,
    batches: VecDeque<(WholeBatch, usize)>,
    provides: Option<EdgeType>,
    /// Whether data or a mark has come.
    begun: bool,
    /// The sink of the data, if the owner has set one, from the first data to its first error.
    sink: Option<Box<dyn Sink>>,
}

/// A batch that has begun.
struct Open {
    begin: BeginBatch,
    points: Points,
    bytes: usize,
}

enum Ended {
    /// A fault ended the input.
    Fault(Error),
    /// Another thread aborted the connection.
    GivenUp,
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Ended::Fault(error)
    }
}

impl Reader<'_> {
    fn read<R: Read>(&mut self, frames: &mut FrameReader<R>) -> Result<(), Ended> {
        loop {
            let mut received = false;
            while let Ok(Some(frame)) = frames.buffered_frame() {
                received = true;
                if let Err(ended) = self.frame(frame) {
                    return Err(as_text(ended, frames.taken()));
                }
            }
            // An invalid length is also an error of `fill_frames`. It does not wait until the owner
            // has read the data before it.
            if received && frames.has_frame().is_ok() {
                self.hand_on_points()?;
                // Within a frame, more data is on its way.
                if frames.rest().is_empty() {
                    self.pause_sink()?;
                }
                self.shared.note_message();
            }
            let mut state = self.shared.state();
            if state.is_aborted() {
                return Err(Ended::GivenUp);
            }
            if self.sink.is_some() {
                state.occupied = false;
            }
            drop(state);
            match fill_frames(frames) {
                Ok(true) if self.sink.is_some() => self.occupy(),
                Ok(true) => {}
                Ok(false) => return self.end_of_input(),
                Err(Broken::Text(text)) => return Err(Error::Text(text).into()),
                Err(Broken::Frame(error)) => return Err(self.cut(error).into()),
            }
        }
    }

    /// Pauses the timeouts while the sink may block. Wakes no thread, because this happens with each
    /// read.
    fn occupy(&self) {
        self.shared.state().occupied = true;
    }

    /// Passes data to the sink. Returns `None` without a sink.
    fn feed_sink<T>(
        &mut self,
        take: impl FnOnce(&mut dyn Sink) -> io::Result<T>,
    ) -> Option<Result<T, Ended>> {
        let taken = take(self.sink.as_deref_mut()?);
        Some(taken.map_err(|error| {
            self.sink = None;
            Error::Sink(Arc::new(error)).into()
        }))
    }

    fn pause_sink(&mut self) -> Result<(), Ended> {
        self.feed_sink(|sink| sink.pause()).unwrap_or(Ok(()))
    }

    fn end_of_input(&mut self) -> Result<(), Ended> {
        let fault = match self.open.take() {
            Some(open) => Error::ClosedInBatch { name: open.begin.name },
            None if self.shared.state().phase == Phase::Stopping => return Ok(()),
            None => Error::ClosedEarly,
        };
        Err(self.shared.explain(fault).into())
    }

    /// Returns the error of the connection for a read error.
    fn cut(&self, error: FrameError) -> Error {
        match error {
            FrameError::TooLong { length, limit } => Error::FrameTooLong { length, limit },
            FrameError::BadLength => Error::BadFrameLength,
            FrameError::Io(error) => {
                // A socket reports a reset when the other side has closed with unread bytes.
                let is_end = error.kind() == ErrorKind::ConnectionReset;
                let error = Error::Read(Arc::new(error));
                if is_end { self.shared.explain(error) } else { error }
            }
            error => self.shared.explain(Error::FrameCut(error.to_string())),
        }
    }

    fn frame(&mut self, frame: &[u8]) -> Result<(), Ended> {
        // Parses a point in place, since decoding the message would allocate every tag and field.
        if let Some(bytes) = response::point_bytes(frame) {
            if self.sink.is_some() && self.open.is_none() {
                self.expect_point()?;
                match self.feed_sink(|sink| sink.encoded_point(bytes)) {
                    Some(Ok(false)) | None => {}
                    Some(taken) => return taken.map(drop),
                }
            }
            // The point borrows from the index while `self` changes.
            let mut index = std::mem::take(&mut self.index);
            let point = index.parse(bytes).map_err(Error::from)?;
            let taken = self.point(point);
            self.index = index;
            return taken;
        }
        let message = response::decode(frame).map_err(|error| Error::MalformedResponse {
            length: frame.len(),
            problem: error.to_string(),
        })?;
        match message.ok_or(Error::EmptyResponse)? {
            Message::Keepalive(echo) if self.shared.awaits_echo(echo.time) => {
                self.answer(RequestKind::Keepalive, Message::Keepalive(echo))
            }
            Message::Keepalive(echo) => self.mark(echo.time),
            Message::Error(error) => Err(Error::Reported(error.error).into()),
            Message::Begin(begin) => self.begin(begin.into()),
            Message::Point(point) => self.point(PointBuf::from(point).as_point()),
            Message::End(end) => self.end(end.into()),
            message @ Message::Info(_) => self.answer(RequestKind::Info, message),
            message @ Message::Init(_) => self.answer(RequestKind::Init, message),
            message @ Message::Snapshot(_) => self.answer(RequestKind::Snapshot, message),
            message @ Message::Restore(_) => self.answer(RequestKind::Restore, message),
        }
    }

    fn answer(&mut self, kind: RequestKind, message: Message) -> Result<(), Ended> {
        // The owner must find the data that came before an answer when it has the answer.
        self.hand_on_points()?;
        if let Message::Info(info) = &message
            && let Ok(info) = Info::try_from(info.clone())
        {
            self.provides = self.provides.or(Some(info.provides));
        }
        Ok(self.shared.answer(kind, message)?)
    }

    /// Passes the echo of a mark to the sink. Other keepalives show that a busy UDF is alive.
    fn mark(&mut self, time: i64) -> Result<(), Ended> {
        let Ok(mark) = u32::try_from(-1 - i128::from(time)) else { return Ok(()) };
        if self.shared.is_initialized() {
            self.begin_sink();
        }
        self.feed_sink(|sink| sink.mark(mark)).unwrap_or(Ok(()))
    }

    /// Takes the sink, if the owner has set one.
    fn begin_sink(&mut self) {
        if !self.begun {
            self.begun = true;
            if let Some((provides, sink)) = self.shared.take_sink() {
                self.provides = self.provides.or(Some(provides));
                self.sink = Some(sink);
                self.occupy();
            }
        }
    }

    fn expect(
        &mut self,
        edge: EdgeType,
        before: &'static str,
        wrong: &'static str,
    ) -> Result<(), Error> {
        if !self.shared.is_initialized() {
            return Err(Error::DataBeforeInit { what: before });
        }
        self.begin_sink();
        match self.provides {
            Some(provides) if provides != edge => Err(Error::WrongEdge { what: wrong, provides }),
            _ => Ok(()),
        }
    }

    fn point(&mut self, point: Point<'_>) -> Result<(), Ended> {
        let settings = &self.shared.settings;
        if let Some(open) = &mut self.open {
            let cost = point.kept_size();
            let too_many = open.points.len() >= settings.batch_points;
            if too_many || open.bytes + cost > settings.batch_bytes {
                let limit = if too_many {
                    Limit::Points(settings.batch_points)
                } else {
                    Limit::Bytes(settings.batch_bytes)
                };
                let name = std::mem::take(&mut open.begin.name);
                return Err(Error::BatchTooLarge { name, limit }.into());
            }
            open.points.push(&point);
            open.bytes += cost;
            return Ok(());
        }
        self.expect_point()?;
        if let Some(taken) = self.feed_sink(|sink| sink.point(point)) {
            return taken;
        }
        let cost = point.kept_size();
        self.points.push_back((point.to_buf(), cost));
        if self.points.len() < TOGETHER && cost < settings.queue_bytes / TOGETHER {
            return Ok(());
        }
        self.hand_on_points()
    }

    /// Checks that a point may come outside of a batch.
    fn expect_point(&mut self) -> Result<(), Error> {
        self.expect(EdgeType::Stream, "a point", "a point outside of a batch")
    }

    fn begin(&mut self, begin: BeginBatch) -> Result<(), Ended> {
        self.expect(EdgeType::Batch, "the begin of a batch", "a batch")?;
        if let Some(open) = &mut self.open {
            let open = std::mem::take(&mut open.begin.name);
            return Err(Error::BeginWithinBatch { open, name: begin.name }.into());
        }
        let limit = self.shared.settings.batch_points;
        if usize::try_from(begin.size).map_or(true, |size| size > limit) {
            let (name, size) = (begin.name, begin.size);
            return Err(Error::BadBatchSize { name, size, limit }.into());
        }
        // The size is only a hint. Memory is reserved for the points that really come.
        let bytes = self.within_limit(&begin.name, cost(&begin.name, &begin.group, &begin.tags))?;
        self.open = Some(Open { begin, points: Points::new(), bytes });
        Ok(())
    }

    /// Refuses a batch that exceeds its memory limit.
    fn within_limit(&self, name: &str, bytes: usize) -> Result<usize, Ended> {
        let limit = self.shared.settings.batch_bytes;
        if bytes > limit {
            let (name, limit) = (name.to_owned(), Limit::Bytes(limit));
            return Err(Error::BatchTooLarge { name, limit }.into());
        }
        Ok(bytes)
    }

    fn end(&mut self, end: EndBatch) -> Result<(), Ended> {
        let Some(open) = self.open.take() else {
            self.expect(EdgeType::Batch, "the end of a batch", "a batch")?;
            return Err(Error::EndWithoutBegin { name: end.name }.into());
        };
        let bytes = open.bytes + cost(&end.name, &end.group, &end.tags);
        let bytes = self.within_limit(&end.name, bytes)?;
        let batch = WholeBatch {
            // As in Kapacitor, the end overrides the begin, except for `byName`.
            name: end.name,
            group: end.group,
            tags: end.tags,
            by_name: open.begin.by_name,
            tmax: end.tmax,
            points: open.points,
        };
        if let Some(taken) = self.feed_sink(|sink| sink.batch(&batch)) {
            return taken;
        }
        self.batches.push_back((batch, bytes));
        let shared = self.shared;
        hand_on(shared, "batches", &shared.batches, &mut self.batches, || {
            let wrong_edge = shared.points.is_taken() && !shared.batches.is_taken();
            wrong_edge.then_some(Error::WrongEdge { what: "a batch", provides: EdgeType::Stream })
        })
    }

    fn hand_on_points(&mut self) -> Result<(), Ended> {
        if self.points.is_empty() {
            return Ok(());
        }
        let shared = self.shared;
        hand_on(shared, "points", &shared.points, &mut self.points, || {
            let what = "a point outside of a batch";
            let wrong_edge = shared.batches.is_taken() && !shared.points.is_taken();
            wrong_edge.then_some(Error::WrongEdge { what, provides: EdgeType::Batch })
        })
    }
}

/// Returns the error for text if an invalid frame is text. `bytes` starts at the length of the
/// frame.
fn as_text(ended: Ended, bytes: &[u8]) -> Ended {
    match ended {
        Ended::Fault(
            Error::MalformedResponse { .. } | Error::MalformedPoint(_) | Error::EmptyResponse,
        ) => text(bytes).map_or(ended, |text| Error::Text(text).into()),
        ended => ended,
    }
}

/// Returns the memory that the begin or the end of a batch takes.
fn cost(name: &str, group: &str, tags: &BTreeMap<String, String>) -> usize {
    let tags = tags.iter().map(|(name, value)| name.len() + value.len() + TAG_COST);
    name.len() + group.len() + tags.sum::<usize>()
}

/// Hands on the received items. Blocks while the queue is full, unless the owner reads only the
/// other kind.
fn hand_on<T>(
    shared: &Shared,
    what: &'static str,
    queue: &Queue<T>,
    items: &mut VecDeque<(T, usize)>,
    wrong_edge: impl Fn() -> Option<Error>,
) -> Result<(), Ended> {
    loop {
        match queue.offer(items) {
            OfferResult::Taken => return Ok(()),
            OfferResult::Closed => return Err(Ended::GivenUp),
            OfferResult::Full => {}
        }
        if let Some(error) = wrong_edge() {
            return Err(error.into());
        }
        shared.set_unread(Some(what));
        queue.wait_for_room();
        shared.set_unread(None);
    }
}
