//! The thread that feeds a UDF.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use udf_host::{Error, Interface, PointIn};
use udf_proto::EdgeType;
use udf_proto::ticks::REFUSES_THREADS;
use udf_text::line_protocol::LineReader;

use super::sink::{Collect, Marked};
use super::source::{Next, Source};
use super::{Program, Work};
use crate::lines::Lines;
use crate::log::Message;
use crate::udf::{Chunk, Invalid, LeftOut, Output, Suspect, UdfError};

const USES_THREADS: &str = "the UDF sends points from threads of its own, which have no fixed place \
                            in the output; with --allow-remote, such points may be lost or doubled \
                            after a fault";

/// Frames are sent when they take this many bytes, and at the end of a chunk.
const BLOCK: usize = 64 << 10;

/// Starts a UDF, and feeds it until its end, or until its owner wants no more.
pub(super) fn run(
    program: &Program,
    state: Option<Bytes>,
    started: oneshot::Sender<Result<Option<Duration>, UdfError>>,
    queue: &mpsc::Receiver<Work>,
    work: mpsc::Sender<Work>,
    outputs: &UnboundedSender<Result<Output, UdfError>>,
) {
    let udf: Arc<dyn Interface> = Arc::from((program.connect)());
    let marked = Marked::default();
    let (lines, left_out) = (Lines::default(), LeftOut::default());
    let sink = Collect { marked: marked.clone(), lines, left_out, outputs: outputs.clone(), work };
    let points = match start(&*udf, program, state, sink) {
        Ok((points, every)) => {
            let _ = started.send(Ok(every));
            points
        }
        Err(error) => {
            // The reason of the connection says more than that of the request.
            let closed = udf.close();
            let _ = started.send(Err(refused_or_ended(&error, closed)));
            return;
        }
    };
    let mut feeder = Feeder::new(program, &*udf, points, marked);
    let failed = loop {
        match queue.recv() {
            Ok(Work::Chunk(chunk)) => {
                if let Err(error) = feeder.feed(&chunk) {
                    break error;
                }
            }
            Ok(Work::SinkGone) => break Error::ClosedEarly,
            Ok(Work::End) | Err(_) => {
                let _ = udf.close();
                return;
            }
        }
    };
    let _ = outputs.send(Err(match udf.close().err().unwrap_or(failed) {
        Error::Reported(why) if why == REFUSES_THREADS => {
            UdfError::Refused(USES_THREADS.to_owned())
        }
        why => UdfError::Ended { why: why.to_string(), line: feeder.suspect.take() },
    }));
}

fn start(
    udf: &dyn Interface,
    program: &Program,
    state: Option<Bytes>,
    sink: Collect,
) -> Result<(PointIn, Option<Duration>), Error> {
    udf.open()?;
    udf.data_to(EdgeType::Stream, Box::new(sink))?;
    udf.request_ticks(!program.may_use_threads)?;
    udf.init(program.init.clone())?;
    if let Some(state) = state {
        udf.restore(state.into())?;
    }
    Ok((udf.point_in()?, udf.tick_every()?))
}

/// Starting again does not help if the UDF refuses something, or if its program does not exist.
fn refused_or_ended(error: &Error, closed: Result<(), Error>) -> UdfError {
    match error {
        Error::InitRefused(_) | Error::RestoreRefused(_) | Error::Spawn { .. } => {
            UdfError::Refused(error.to_string())
        }
        _ => {
            UdfError::Ended { why: closed.err().as_ref().unwrap_or(error).to_string(), line: None }
        }
    }
}

/// Turns lines into frames of a UDF.
struct Feeder<'a> {
    program: &'a Program,
    udf: &'a dyn Interface,
    points: PointIn,
    marked: Marked,
    next: Next,
    lines: LineReader<Source>,
    frames: Vec<u8>,
    mark: u32,
    /// The line that the UDF is handling alone.
    suspect: Option<Suspect>,
}

impl<'a> Feeder<'a> {
    fn new(program: &'a Program, udf: &'a dyn Interface, points: PointIn, marked: Marked) -> Self {
        let next = Next::default();
        let lines = reader(program, &next);
        let frames = Vec::with_capacity(2 * BLOCK);
        Feeder { program, udf, points, marked, next, lines, frames, mark: 0, suspect: None }
    }

    fn feed(&mut self, chunk: &Chunk) -> Result<(), Error> {
        let mut output = Output::default();
        for message in &chunk.messages {
            match message.tick {
                Some(time) => self.tick(message.seq, time, chunk)?,
                None => self.lines(message, chunk, &mut output)?,
            }
        }
        self.send()?;
        if chunk.snapshot {
            output.snapshot = Some(self.udf.snapshot()?.into());
        }
        self.marked.push(output);
        self.mark = self.mark.wrapping_add(1);
        self.points.mark(self.mark)
    }

    fn send(&mut self) -> Result<(), Error> {
        if !self.frames.is_empty() {
            self.points.send_encoded(&self.frames)?;
            self.frames.clear();
        }
        Ok(())
    }

    fn tick(&mut self, seq: u64, time: i64, chunk: &Chunk) -> Result<(), Error> {
        if chunk.leave_out.contains(&(seq, 0)) {
            return Ok(());
        }
        self.send()?;
        if !chunk.one_by_one {
            return self.points.tick(time);
        }
        self.suspect = Some(Suspect { line: 0, payload: Bytes::new() });
        self.udf.tick(time)?;
        self.suspect = None;
        Ok(())
    }

    fn lines(&mut self, message: &Message, chunk: &Chunk, out: &mut Output) -> Result<(), Error> {
        let payload = &message.payload;
        let bom = if payload.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        self.next.set(Some(payload.slice(bom..)));
        let fields = self.lines.dropped_fields();
        for line in 0.. {
            if self.frames.len() >= BLOCK {
                self.send()?;
            }
            let before = self.frames.len();
            self.lines.set_time(message.time);
            match self.lines.next_frame(&mut self.frames) {
                Ok(None) => break,
                Ok(Some(_)) if chunk.leave_out.contains(&(message.seq, line)) => {
                    self.frames.truncate(before);
                }
                // All of its fields were dropped.
                Ok(Some(info)) if info.point.is_empty() => {}
                Ok(Some(_)) => {
                    out.lines_in += 1;
                    if chunk.one_by_one {
                        self.alone(line)?;
                    }
                }
                Err(error) => {
                    out.left_out.invalid += 1;
                    let invalid =
                        || Invalid { seq: message.seq, line, why: error.problem.to_string() };
                    out.left_out.first_invalid.get_or_insert_with(invalid);
                }
            }
        }
        out.left_out.fields += self.lines.dropped_fields() - fields;
        if payload.contains(&b'#') {
            // A comment can set the database of the lines that follow. It must not reach the next
            // message, which a restarted UDF may get without this one.
            self.lines = reader(self.program, &self.next);
        }
        Ok(())
    }

    /// Waits until the UDF has handled the last line.
    fn alone(&mut self, line: u32) -> Result<(), Error> {
        let payload = Bytes::copy_from_slice(self.lines.raw());
        self.suspect = Some(Suspect { line, payload });
        self.send()?;
        self.udf.keepalive()?;
        self.suspect = None;
        Ok(())
    }
}

fn reader(program: &Program, next: &Next) -> LineReader<Source> {
    LineReader::new(Source::new(Next::clone(next)), program.grouping.clone())
        .source(program.database.clone(), program.retention_policy.clone())
        .drop_unfit()
}
