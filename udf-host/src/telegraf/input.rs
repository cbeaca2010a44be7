//! Sends the lines of stdin to the UDF.

use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use udf_proto::point::PointIndex;
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::{LineError, LineInfo, LineProblem, LineReader};

use super::event::{Event, TelegrafError};
use super::shared::{Shared, lock};
use super::stdin::Stdin;
use super::windows::{Added, Gathering};
use crate::error::Error;
use crate::session::{BatchIn, PointIn};

/// Points are sent when they take this many bytes, or when no more input has arrived.
const BLOCK: usize = 256 << 10;

/// Points that arrive within this time of the last ones are sent together.
const TOGETHER: Duration = Duration::from_micros(200);

/// Where the points go.
#[derive(Clone)]
pub(super) enum Target {
    Stream(PointIn),
    Windows(Arc<Mutex<Gathering>>, BatchIn),
}

impl Target {
    /// Sends the batches of the windows that have ended.
    pub(super) fn send_ended(&self) -> Result<(), Error> {
        self.send(|windows| windows.take_ended(now()))
    }

    fn send_all(&self) -> Result<(), Error> {
        self.send(Gathering::take_all)
    }

    /// Sends batches in the order of their windows: the lock is held until they are sent.
    fn send(&self, take: impl FnOnce(&mut Gathering) -> Vec<WholeBatch>) -> Result<(), Error> {
        let Target::Windows(windows, udf) = self else { return Ok(()) };
        let mut windows = lock(windows);
        take(&mut windows).iter().try_for_each(|batch| udf.send(batch))
    }
}

/// Sends lines until the end of stdin.
pub(super) struct Input {
    pub(super) lines: LineReader<Stdin>,
    pub(super) target: Target,
    pub(super) grace: Duration,
    /// Whether the original lines are written as well.
    pub(super) keeps_original: bool,
    pub(super) shared: Arc<Shared>,
}

impl Input {
    pub(super) fn run(&mut self) -> Result<(), TelegrafError> {
        let (mut frames, mut index) = (Vec::with_capacity(2 * BLOCK), PointIndex::new());
        let mut dropped = 0;
        let mut sent = Instant::now();
        loop {
            if frames.len() >= BLOCK {
                self.send(&mut frames)?;
            } else if self.lines.get_ref().would_wait() {
                // Each hand-over to another thread costs more than a line.
                let early = TOGETHER.saturating_sub(sent.elapsed());
                if !early.is_zero() && !frames.is_empty() {
                    thread::sleep(early);
                    continue;
                }
                self.send(&mut frames)?;
                sent = Instant::now();
            }
            let before = frames.len();
            let line = match self.lines.next_frame(&mut frames) {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(LineError { problem: LineProblem::Io(error), .. }) => {
                    return Err(TelegrafError::Stdin(error));
                }
                Err(error) => {
                    self.skip(&Event::BadLine(&error));
                    continue;
                }
            };
            if self.lines.dropped_fields() > dropped {
                dropped = self.lines.dropped_fields();
                self.shared.log(&Event::TooLarge { line: self.lines.line() });
            }
            if self.lines.is_cut() {
                frames.truncate(before);
                self.skip(&Event::CutLine { line: self.lines.line() });
                continue;
            }
            self.pass_on(&line)?;
            if line.point.is_empty() {
                // All of its fields were dropped, which was logged.
                self.shared.counts.skipped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if let Target::Windows(windows, _) = &self.target {
                let point = index.parse(&frames[line.point]).map_err(Error::from)?;
                let added = lock(windows).add(point, now());
                frames.clear();
                self.target.send_ended()?;
                let (line, grace) = (self.lines.line(), self.grace);
                match added {
                    Added::Yes => {}
                    Added::Late => {
                        self.skip(&Event::Late { line, grace });
                        continue;
                    }
                    Added::Ahead => {
                        self.skip(&Event::Ahead { line });
                        continue;
                    }
                }
            }
            self.shared.counts.points_in.fetch_add(1, Ordering::Relaxed);
        }
        self.send(&mut frames)?;
        Ok(self.target.send_all()?)
    }

    /// Sends the points, before the next line is waited for. Original lines come before the points
    /// that follow from them.
    fn send(&self, frames: &mut Vec<u8>) -> Result<(), TelegrafError> {
        if self.keeps_original {
            lock(&self.shared.stdout).flush().map_err(TelegrafError::Stdout)?;
        }
        if let Target::Stream(udf) = &self.target {
            udf.send_encoded(frames)?;
            frames.clear();
        }
        Ok(())
    }

    /// Writes the line as it came, with the time that the UDF gets.
    fn pass_on(&self, line: &LineInfo) -> Result<(), TelegrafError> {
        if !self.keeps_original {
            return Ok(());
        }
        let raw = self.lines.raw();
        let appended = lock(&self.shared.stdout).append(|text| {
            text.extend_from_slice(raw);
            if !line.has_time {
                let _ = write!(text, " {}", line.time);
            }
            text.push(b'\n');
        });
        appended.map_err(TelegrafError::Stdout)
    }

    fn skip(&self, event: &Event<'_>) {
        self.shared.counts.skipped.fetch_add(1, Ordering::Relaxed);
        self.shared.log(event);
    }
}

/// Returns the time of the clock, in nanoseconds since the epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
