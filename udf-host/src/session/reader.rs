//! Reads from the UDF, on a thread of its own or on one of the UDF. It trusts no byte of the input.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Empty, ErrorKind, Read};
use std::sync::Arc;

use udf_proto::frame::{FrameError, FrameReader};
use udf_proto::messages::response::Message;
use udf_proto::point::PointIndex;
use udf_proto::{BeginBatch, EdgeType, EndBatch, Info, Point, PointBuf, Points, response};
use udf_text::batch::WholeBatch;

use super::queue::{OfferResult, Queue};
use super::shared::{Phase, Shared};
use super::sink::Sink;
use crate::diagnosis::{Broken, fill_frames, fill_frames_from, text};
use crate::error::{Error, Limit, RequestKind};

/// The approximate memory of a tag beyond its text: its entry in a map.
const TAG_COST: usize = 96;

/// The most points that are handed on at once.
const TOGETHER: usize = 256;

/// Reads until the UDF closes its output or breaks the protocol, or until the connection is
/// aborted.
pub(crate) fn run<R: Read>(shared: &Arc<Shared>, mut frames: FrameReader<R>) {
    let mut reader = Reader::new(shared);
    let ended = reader.read(&mut frames);
    reader.finish(ended);
}

/// Handles the bytes of a UDF that a thread of it hands over. That thread must not wait for the end
/// of the UDF, so another one has to [`end`](Self::end) the reading.
pub(crate) struct Fed {
    frames: FrameReader<Empty>,
    reader: Reader,
    ended: Result<(), Ended>,
}

impl Fed {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let frames = FrameReader::new(io::empty()).limit(shared.settings.frame_limit);
        Fed { frames, reader: Reader::new(shared), ended: Ok(()) }
    }

    /// Handles the bytes. Returns whether the connection goes on.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() && self.ended.is_ok() {
            let Fed { frames, reader, .. } = self;
            let filled =
                fill_frames_from(frames, &mut bytes).map_err(|broken| reader.broken(broken));
            self.ended = filled.and_then(|()| {
                reader.begin_to_read();
                reader.buffered(frames)
            });
        }
        self.ended.is_ok()
    }

    /// Ends the reading at the end of the bytes, or with what has ended it before.
    pub(crate) fn end(mut self) {
        let ended = self.ended.and_then(|()| self.reader.read(&mut self.frames));
        self.reader.finish(ended);
    }
}

struct Reader {
    shared: Arc<Shared>,
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

impl Reader {
    fn new(shared: &Arc<Shared>) -> Self {
        Reader {
            index: PointIndex::new(),
            open: None,
            points: VecDeque::new(),
            batches: VecDeque::new(),
            provides: shared.settings.provides,
            begun: false,
            sink: None,
            shared: Arc::clone(shared),
        }
    }

    fn read<R: Read>(&mut self, frames: &mut FrameReader<R>) -> Result<(), Ended> {
        loop {
            self.buffered(frames)?;
            match fill_frames(frames) {
                Ok(true) => self.begin_to_read(),
                Ok(false) => return self.end_of_input(),
                Err(broken) => return Err(self.broken(broken)),
            }
        }
    }

    /// Handles the whole frames of the buffer.
    fn buffered<R: Read>(&mut self, frames: &mut FrameReader<R>) -> Result<(), Ended> {
        let mut received = false;
        while let Ok(Some(frame)) = frames.buffered_frame() {
            received = true;
            if let Err(ended) = self.frame(frame) {
                return Err(as_text(ended, frames.taken()));
            }
        }
        // An invalid length is also an error of the next fill. It does not wait until the owner has
        // read the data before it.
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
        Ok(())
    }

    /// Delivers what came before the end, and ends the connection with its fault.
    fn finish(mut self, mut ended: Result<(), Ended>) {
        // Data before the end is delivered. The end itself does not wait for the owner to read it.
        self.shared.points.force(&mut self.points);
        ended = ended.and(self.pause_sink());
        // Without any data, the sink was not taken.
        drop(self.shared.take_sink());
        if let Err(Ended::Fault(error)) = ended {
            self.shared.abort(error);
        }
    }

    fn broken(&self, broken: Broken) -> Ended {
        match broken {
            Broken::Text(text) => Error::Text(text).into(),
            Broken::Frame(error) => self.cut(error).into(),
        }
    }

    /// Pauses the timeouts while a sink handles what was received.
    fn begin_to_read(&self) {
        if self.sink.is_some() {
            self.occupy();
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
        if let Some(open) = &mut self.open {
            let settings = &self.shared.settings;
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
        if self.points.len() < TOGETHER && cost < self.shared.settings.queue_bytes / TOGETHER {
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
        let shared = Arc::clone(&self.shared);
        hand_on(&shared, "batches", &shared.batches, &mut self.batches, || {
            let wrong_edge = shared.points.is_taken() && !shared.batches.is_taken();
            wrong_edge.then_some(Error::WrongEdge { what: "a batch", provides: EdgeType::Stream })
        })
    }

    fn hand_on_points(&mut self) -> Result<(), Ended> {
        if self.points.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        hand_on(&shared, "points", &shared.points, &mut self.points, || {
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
