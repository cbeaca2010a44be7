//! Measures the snapshot of a UDF with a million groups, and its restore.

use std::error::Error;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use udf_proto::frame::{FrameReader, MAX_LIMIT};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{KeepaliveRequest, Point, RestoreRequest, SnapshotRequest};
use udf_proto::response;

use crate::programs::{Daemon, moving_avg};
use crate::table::{Goal, Table, median};
use crate::wire::{append, send};

const GROUPS: usize = 1_000_000;

/// The size of the window.
const POINTS_OF_EACH: usize = 10;

const ROUNDS: usize = 5;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let limit = MAX_LIMIT.to_string();
    let daemon = Daemon::start("moving_avg", &["--frame-limit", &limit])?;
    let mut full = Connection::open(&daemon)?;
    full.fill()?;
    let (mut takes, mut restores, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        send(&mut full.writer, Ask::Snapshot(SnapshotRequest {}))?;
        let snapshot = loop {
            if let Some(Answer::Snapshot(answer)) = full.next()? {
                break answer.snapshot;
            }
        };
        takes.push(begun.elapsed());
        bytes = snapshot.len();

        let mut fresh = Connection::open(&daemon)?;
        let mut frame = Vec::new();
        append(Ask::Restore(RestoreRequest { snapshot }), &mut frame);
        let begun = Instant::now();
        fresh.writer.write_all(&frame)?;
        loop {
            match fresh.next()? {
                Some(Answer::Restore(answer)) if answer.success => break,
                Some(Answer::Restore(answer)) => return Err(answer.error.into()),
                _ => {}
            }
        }
        restores.push(begun.elapsed());
        // The window contains tens. The mean matches only if the state was restored.
        send(&mut fresh.writer, Ask::Point(point(GROUPS / 2, 21.0)))?;
        match fresh.next()? {
            Some(Answer::Point(point)) if point.fields_double.get("avg") == Some(&11.1) => {}
            other => return Err(format!("the restored UDF answers {other:?}").into()),
        }
    }
    let seconds = |times: &[Duration]| median(times.iter().map(Duration::as_secs_f64).collect());
    let goal = Goal::AtMost { reach: 1.0, beyond: 0.5 };
    table.row("snapshot of 1 million groups", seconds(&takes), "s", goal);
    table.row("restore of 1 million groups", seconds(&restores), "s", goal);
    println!("    {bytes} bytes, sent over a socket");
    Ok(())
}

struct Connection {
    writer: UnixStream,
    frames: FrameReader<UnixStream>,
}

impl Connection {
    fn open(daemon: &Daemon) -> Result<Self, Box<dyn Error>> {
        let writer = UnixStream::connect(daemon.socket())?;
        let frames = FrameReader::new(writer.try_clone()?).limit(MAX_LIMIT);
        let mut connection = Connection { writer, frames };
        send(&mut connection.writer, Ask::Init(moving_avg().into()))?;
        match connection.next()? {
            Some(Answer::Init(answer)) if answer.success => Ok(connection),
            other => Err(format!("the UDF was not started: {other:?}").into()),
        }
    }

    fn next(&mut self) -> Result<Option<Answer>, Box<dyn Error>> {
        let frame = self.frames.next_frame()?.ok_or("the connection has ended")?;
        Ok(response::decode(frame)?)
    }

    /// Fills the window of each group with points.
    fn fill(&mut self) -> Result<(), Box<dyn Error>> {
        let mut points = Vec::new();
        for group in 0..GROUPS {
            append(Ask::Point(point(group, 10.0)), &mut points);
        }
        let mut writer = self.writer.try_clone()?;
        let writing = thread::spawn(move || {
            (0..POINTS_OF_EACH).try_for_each(|_| writer.write_all(&points))?;
            send(&mut writer, Ask::Keepalive(KeepaliveRequest { time: 1 }))
        });
        loop {
            let frame = self.frames.next_frame()?.ok_or("the connection has ended")?;
            if response::point_bytes(frame).is_some() {
                continue;
            }
            match response::decode(frame)? {
                Some(Answer::Keepalive(echo)) if echo.time == 1 => break,
                Some(Answer::Error(error)) => return Err(error.error.into()),
                _ => {}
            }
        }
        writing.join().map_err(|_| "the writing thread has panicked")??;
        Ok(())
    }
}

/// Returns a minimal point in its own group.
fn point(group: usize, value: f64) -> Point {
    let host = format!("host{group:07}");
    Point {
        time: 1_738_000_000_000_000_000,
        name: "cpu".to_owned(),
        group: format!("host={host}"),
        dimensions: vec!["host".to_owned()],
        tags: [("host".to_owned(), host)].into(),
        fields_double: [("usage_user".to_owned(), value)].into(),
        ..Point::default()
    }
}
