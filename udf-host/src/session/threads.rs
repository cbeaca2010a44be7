//! Starts the threads of a session and handles their ends.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;

use udf_proto::frame::FrameReader;

use super::in_process::{self, End, StartUdf, UdfInput, UdfOutput};
use super::shared::Shared;
use super::{reader, watch};
use crate::error::Error;
use crate::spawn::{OnDrop, spawn};

/// Starts the threads of a session over a reader and a writer.
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
    let (for_reader, for_writer) = (shared.clone(), shared.clone());
    // Both guards also run if a thread cannot be spawned: its closure is dropped then.
    let reading = reading(shared);
    let writing = OnDrop(Some({
        let shared = shared.clone();
        move || shared.writing_ended(thread::panicking())
    }));
    let frames = FrameReader::new(reader).limit(shared.settings.frame_limit);
    let started = start_watch(shared, watch)
        .and_then(|()| {
            spawn("udf-write", move || {
                let written = for_writer.outbox.write_to(&mut writer, for_writer.settings.writes);
                // The drop ends the input of the UDF.
                drop(writer);
                if let Err(error) = written {
                    for_writer.writing_failed(error);
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

/// Starts the threads of a session with a UDF in this process.
pub(super) fn start_in_process(
    shared: &Arc<Shared>,
    udf: StartUdf,
    (ends, ended): (Sender<End>, Receiver<End>),
) -> Result<(), Error> {
    let for_reader = shared.clone();
    // Dropped with the closure if the thread cannot be spawned.
    let reading = reading(shared);
    // Their drop ends the writing and the reading, also if the UDF is not started.
    let (input, output) = (UdfInput::new(shared), UdfOutput::new(shared, ends));
    let started = start_watch(shared, watch::run)
        .and_then(|()| {
            spawn("udf-end", move || {
                in_process::end_reading(&for_reader, &ended);
                drop(reading);
            })
        })
        .and_then(|()| udf(input, output));
    started.map_err(|error| shared.abort(Error::Setup(Arc::new(error))))
}

/// Ends the reading when it is dropped.
fn reading(shared: &Arc<Shared>) -> OnDrop<impl FnOnce() + use<>> {
    let shared = shared.clone();
    OnDrop(Some(move || shared.reading_ended(thread::panicking())))
}

fn start_watch(shared: &Arc<Shared>, watch: fn(&Arc<Shared>)) -> io::Result<()> {
    let shared = shared.clone();
    spawn("udf-watch", move || {
        // Catches a panic here, so that a callback that panics in the lines below cannot end the
        // process.
        let watched = catch_unwind(AssertUnwindSafe(|| watch(&shared)));
        shared.watching_ended(watched.is_err());
    })
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
