//! Collects both sides of a replay for its picture.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use udf_plot::Track;
use udf_proto::Point;
use udf_text::batch::WholeBatch;

use super::output::Lines;
use crate::session::Sink;

/// Collects both sides.
pub(super) struct Tracks {
    pub(super) sent: Track,
    /// Shared with the thread that reads from the UDF.
    pub(super) received: Arc<Mutex<Track>>,
    /// Whether the output is also printed.
    pub(super) prints: bool,
}

impl Tracks {
    /// Returns a sink that collects the output.
    pub(super) fn sink(&self, lines: Lines) -> Box<dyn Sink> {
        Box::new(Seen { lines, track: Arc::clone(&self.received), prints: self.prints })
    }
}

pub(super) fn locked(track: &Mutex<Track>) -> MutexGuard<'_, Track> {
    track.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Collects the output on its way to the lines.
struct Seen {
    lines: Lines,
    track: Arc<Mutex<Track>>,
    prints: bool,
}

impl Sink for Seen {
    fn point(&mut self, point: Point<'_>) -> io::Result<()> {
        locked(&self.track).point(point);
        if self.prints { self.lines.point(point) } else { self.lines.count(1) }
    }

    fn batch(&mut self, batch: &WholeBatch) -> io::Result<()> {
        locked(&self.track).batch(batch);
        match self.prints {
            true => self.lines.batch(batch),
            false => self.lines.count(batch.points.len()),
        }
    }

    fn pause(&mut self) -> io::Result<()> {
        self.lines.pause()
    }
}
