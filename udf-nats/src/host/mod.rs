//! UDFs in any language, over the protocol of Kapacitor.
//!
//! Each run of a UDF has a thread that feeds it, besides the threads of its
//! [`Session`](udf_host::Session). The thread turns the lines of a chunk into frames, and sends a
//! mark behind them. When the echo of the mark comes, the output of the chunk is complete. So the
//! driver of the partition never blocks.

mod feed;
mod program;
mod sink;
pub(crate) mod source;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

pub use program::{Connect, Program, ProgramError};

use crate::udf::{Chunk, Output, Udf, UdfError};

/// What the feeding thread does next.
enum Work {
    Chunk(Chunk),
    /// The UDF sends nothing more.
    SinkGone,
    /// The owner wants no more output.
    End,
}

/// A UDF of one partition, which runs a [`Program`].
///
/// On drop, the input of the UDF ends. A thread waits until the UDF has finished.
#[derive(Debug)]
pub struct HostUdf {
    program: Arc<Program>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    work: mpsc::Sender<Work>,
    outputs: UnboundedReceiver<Result<Output, UdfError>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.work.send(Work::End);
    }
}

impl HostUdf {
    /// Creates a UDF that is not yet started.
    pub fn new(program: Arc<Program>) -> Self {
        HostUdf { program, running: None }
    }
}

const GONE: &str = "the thread that feeds the UDF has ended";

fn gone() -> UdfError {
    UdfError::Ended { why: GONE.to_owned(), line: None }
}

impl Udf for HostUdf {
    async fn start(&mut self, state: Option<Bytes>) -> Result<Option<Duration>, UdfError> {
        self.running = None;
        let (work, queue) = mpsc::channel();
        let (sender, outputs) = unbounded_channel();
        let (started, is_started) = oneshot::channel();
        let (program, for_sink) = (Arc::clone(&self.program), work.clone());
        // From here on, a drop ends the thread.
        self.running = Some(Running { work, outputs });
        let feed = move || feed::run(&program, state, started, &queue, for_sink, &sender);
        thread::Builder::new()
            .name("udf-feed".to_owned())
            .spawn(feed)
            .map_err(|error| UdfError::Refused(format!("cannot start a thread: {error}")))?;
        is_started.await.unwrap_or_else(|_| Err(gone()))
    }

    fn feed(&mut self, chunk: Chunk) {
        if let Some(running) = &self.running {
            // If the thread has ended, its last word is in `outputs`.
            let _ = running.work.send(Work::Chunk(chunk));
        }
    }

    async fn output(&mut self) -> Result<Output, UdfError> {
        let Some(running) = &mut self.running else { return Err(gone()) };
        running.outputs.recv().await.unwrap_or_else(|| Err(gone()))
    }
}
