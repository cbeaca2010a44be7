//! Starts the three threads of a session and handles their ends.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use udf_proto::frame::FrameReader;

use super::shared::{EXPLAINED_WITHIN, Shared};
use super::{reader, watch};
use crate::error::Error;
use crate::spawn::{OnDrop, spawn};

/// Starts the threads.
pub(crate) fn start(
    shared: &Arc<Shared>,
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
) -> Result<(), Error> {
    start_watched(shared, reader, writer, watch::run)
}

fn start_watched(
    shared: &Arc<Shared>,
    reader: Box<dyn Read + Send>,
    mut writer: Box<dyn Write + Send>,
    watch: fn(&Arc<Shared>),
) -> Result<(), Error> {
    let (for_reader, for_writer, for_watch) = (shared.clone(), shared.clone(), shared.clone());
    // Both guards also run if a thread cannot be spawned: its closure is dropped then.
    let reading = OnDrop(Some({
        let shared = shared.clone();
        move || shared.reading_ended(thread::panicking())
    }));
    let writing = OnDrop(Some({
        let shared = shared.clone();
        move || shared.writing_ended(thread::panicking())
    }));
    let frames = FrameReader::new(reader).limit(shared.settings.frame_limit);
    let started = spawn("udf-watch", move || {
        // Catches a panic here, so that a callback that panics in the lines below cannot end the
        // process.
        let watched = catch_unwind(AssertUnwindSafe(|| watch(&for_watch)));
        for_watch.watching_ended(watched.is_err());
    })
    .and_then(|()| {
        spawn("udf-write", move || {
            let written = for_writer.outbox.write_to(&mut writer, for_writer.settings.writes);
            // The drop ends the input of the UDF.
            drop(writer);
            if let Err(error) = written {
                writing_failed(&for_writer, error);
            }
            drop(writing);
        })
    })
    .and_then(|()| {
        spawn("udf-read", move || {
            reader::run(&for_reader, frames);
            drop(reading);
        })
    });
    started.map_err(|error| shared.abort(Error::Setup(Arc::new(error))))
}

/// Waits for the error of the reader, and then aborts with `error`. Both threads notice that a UDF
/// has exited, but the reader knows the reason better.
fn writing_failed(shared: &Arc<Shared>, error: io::Error) {
    let mut deadline = None;
    let mut state = shared.state();
    while state.reading && !state.is_aborted() {
        // While the owner does not take the data, the reader cannot reach the end of the input.
        // No wake-up follows when a sink has taken the data.
        let left = if state.is_deaf() {
            EXPLAINED_WITHIN
        } else {
            let now = Instant::now();
            deadline.get_or_insert(now + EXPLAINED_WITHIN).saturating_duration_since(now)
        };
        if left.is_zero() {
            break;
        }
        state = shared.wait(state, Some(left));
    }
    drop(state);
    let error = shared.explain(Error::Write(Arc::new(error)));
    shared.abort(error);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Callbacks, Settings};

    #[test]
    fn a_panic_of_the_watch_ends_the_connection() {
        let (from_udf, udf_side) = io::pipe().expect("a pipe");
        // Only the kill callback ends the read that the reader is blocked in.
        let callbacks = Callbacks::new().on_kill(move || drop(udf_side));
        let settings = Settings::default().timeout(std::time::Duration::MAX);
        let shared = Arc::new(Shared::new(settings, callbacks));
        shared.begin().expect("it is new");
        let panics: fn(&Arc<Shared>) = |_| panic!("this is expected");
        start_watched(&shared, Box::new(from_udf), Box::new(io::sink()), panics).expect("threads");
        let error = shared.wait_until_stopped().expect_err("the watch is gone");
        assert_eq!(error.to_string(), "the thread that watches the timeouts of the UDF panicked");
    }
}
