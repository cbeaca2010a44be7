//! The poison file: it keeps the input that is left out because it kills the worker.
//!
//! The file is line protocol, so that a replay can play it to a fixed UDF. Comments say when and
//! why each entry was left out:
//!
//! ```text
//!
//! # 2026-11-22T04:21:23.499620Z task=cpu_alert node=moving_avg3 group=host=a: the worker died 3 times: signal: 9 (SIGKILL)
//! # CONTEXT-DATABASE: telegraf
//! # CONTEXT-RETENTION-POLICY: autogen
//! cpu,host=a usage=1.5 1446225252000000000
//! ```
//!
//! Input that line protocol cannot represent stands in a comment, as a frame in hexadecimal digits.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use rustix::fs::OFlags;
use udf_proto::point::PointIndex;
use udf_proto::request::{Incoming, decode};
use udf_proto::{BeginBatch, Point};
use udf_text::line_protocol::{MAX_LINE, append_batch, append_line};
use udf_text::message::one_line;
use udf_text::rfc3339::Utc;

use crate::agent::shortage;
use crate::agent::sync::lock;

/// The maximum length of a name in a comment. Peers choose the names.
const MAX_NAME: usize = 256;

/// The maximum length of the reason in a comment.
const MAX_REASON: usize = 1 << 10;

/// The poison file. All connections of the process share it.
#[derive(Debug)]
pub(crate) struct PoisonFile {
    path: PathBuf,
    /// Held while an entry is written.
    writing: Mutex<()>,
}

impl PoisonFile {
    /// Creates the file, or checks that it can be appended to. Only its owner can use a new file.
    ///
    /// # Errors
    /// Returns an error that names the path.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        open(path).map_err(|error| failed("open", path, &error))?;
        Ok(PoisonFile { path: path.to_owned(), writing: Mutex::default() })
    }

    /// Appends what is left out: the body of a frame, or of all frames of a batch, or of the begin
    /// and a point of a batch. Blocks until the disk has stored it.
    ///
    /// The path is opened each time, so that the file may be moved away meanwhile.
    ///
    /// # Errors
    /// Returns an error that names the path, for example if the disk is full. The file then does
    /// not contain a part of the entry.
    pub(crate) fn append(
        &self,
        task: &str,
        node: &str,
        frames: &[&[u8]],
        why: &str,
    ) -> io::Result<()> {
        let entry = entry(SystemTime::now(), [task, node], frames, why);
        let _writing = lock(&self.writing);
        self.write(&entry).map_err(|error| failed("write to", &self.path, &error))
    }

    fn write(&self, entry: &[u8]) -> io::Result<()> {
        let mut file = open(&self.path)?;
        let before = file.metadata()?.len();
        let written = file.write_all(entry).and_then(|()| match file.sync_data() {
            // Not a regular file.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        });
        if written.is_err() && file.metadata()?.len() < before + entry.len() as u64 {
            // The entry is not whole, and no other process has appended one behind it.
            let _ = file.set_len(before);
        }
        written
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Neither opening nor writing a FIFO blocks.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(flags.bits().cast_signed());
    options.open(path)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> io::Error {
    let text =
        format!("cannot {what} the poison file {}: {}", path.display(), shortage::text(error));
    io::Error::new(error.kind(), text)
}

/// Returns the text of an entry. It begins with an empty line, which sets it apart.
fn entry(time: SystemTime, names: [&str; 2], frames: &[&[u8]], why: &str) -> Vec<u8> {
    let mut entry = Entry::default();
    let (mut index, mut spare) = (PointIndex::new(), Vec::new());
    let mut ends = Vec::new();
    for frame in frames {
        match decode(frame, &mut index, &mut spare) {
            Ok(Incoming::Begin(begin)) => {
                entry.begin(begin);
                ends.push(frame);
            }
            Ok(Incoming::Point(point)) => entry.point(point, frame),
            Ok(Incoming::End(end)) => {
                entry.tmax = Some(end.tmax);
                ends.push(frame);
            }
            Ok(_) => entry.frame(frame, "it is neither a point nor part of a batch"),
            Err(error) => entry.frame(frame, error),
        }
    }
    if !entry.has_lines {
        // Otherwise, nothing would be left of the batch.
        for frame in ends {
            entry.frame(frame, "the batch has no point with a line");
        }
    }
    entry.finish(time, names, why)
}

/// An entry while its frames are read.
#[derive(Default)]
struct Entry {
    group: String,
    /// The database and the retention policy of a point of a stream.
    context: Option<[String; 2]>,
    batch: Option<BeginBatch>,
    tmax: Option<i64>,
    body: Vec<u8>,
    has_lines: bool,
}

impl Entry {
    fn begin(&mut self, begin: BeginBatch) {
        self.group.clone_from(&begin.group);
        self.batch = Some(begin);
    }

    fn point(&mut self, point: Point<'_>, frame: &[u8]) {
        if self.batch.is_none() {
            point.group().clone_into(&mut self.group);
            self.context = Some([point.database(), point.retention_policy()].map(str::to_owned));
        }
        let start = self.body.len();
        // The tags of a batch apply to all its points.
        let shared = self.batch.iter().flat_map(|batch| &batch.tags);
        let shared = shared.filter(|(name, _)| point.tag(name).is_none());
        let shared = shared.map(|(name, value)| (name.as_str(), value.as_str()));
        let tags = shared.chain(point.tags());
        let appended =
            append_line(point.name(), tags, point.fields(), point.time(), &mut self.body);
        match appended {
            Err(error) => self.frame(frame, error),
            Ok(()) if self.body.len() - start > MAX_LINE => {
                self.body.truncate(start);
                self.frame(frame, format_args!("it is longer than {MAX_LINE} bytes"));
            }
            Ok(()) => self.has_lines = true,
        }
    }

    /// Appends a frame that has no line.
    fn frame(&mut self, frame: &[u8], why: impl Display) {
        let why = comment(&why.to_string(), MAX_REASON);
        let text =
            format!("# no line protocol, because {why}; the frame in hexadecimal digits:\n# ");
        self.body.extend(text.bytes());
        let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
        self.body.extend(frame.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
        self.body.push(b'\n');
    }

    fn finish(self, time: SystemTime, names: [&str; 2], why: &str) -> Vec<u8> {
        let [task, node, group] =
            [names[0], names[1], &self.group].map(|name| comment(name, MAX_NAME));
        let (time, why) = (Utc(time), comment(why, MAX_REASON));
        let mut text = format!("\n# {time} task={task} node={node} group={group}: {why}\n");
        if let Some(context) = self.context {
            // Readers apply these comments to all lines behind them.
            let [database, policy] = context.map(|name| comment(&name, MAX_NAME));
            text.push_str(&format!("# CONTEXT-DATABASE: {database}\n"));
            text.push_str(&format!("# CONTEXT-RETENTION-POLICY: {policy}\n"));
        }
        let mut text = text.into_bytes();
        if let (Some(batch), Some(tmax)) = (&self.batch, self.tmax) {
            let tags = batch.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            // If this fails, the points have no lines either.
            let _ = append_batch(&batch.name, tags, tmax, &mut text);
        }
        text.extend(self.body);
        text
    }
}

/// Returns text for a comment. InfluxDB may read quotes and backslashes in a comment as the begin of
/// text, which would hide the lines behind it.
fn comment(text: &str, most: usize) -> String {
    one_line(text, most).replace(['"', '\\'], "'")
}
