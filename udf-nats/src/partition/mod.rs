//! The driver of one partition: hands its input to a UDF, and appends the output exactly once.
//!
//! The driver works in chunks of whole messages. The lines of the UDF for a chunk become an output
//! message with a [`Mark`](crate::Mark), appended behind a fence: the log takes the message only if
//! the last message of the output is the one that the driver expects. So two workers never both
//! write, and no lease or clock takes part.
//!
//! | at a start | why |
//! | --- | --- |
//! | read the last mark of the output, and the register | they say how far the output and the state go |
//! | start the UDF with the state | |
//! | replay the input up to the mark, and drop the output | the output is in the log |
//! | leave out as many lines as the mark says | a large output takes several messages |
//!
//! | fault | what happens |
//! | --- | --- |
//! | an append is not acknowledged | the driver reads the last message: it is there, or is appended again |
//! | another worker has written | the driver starts again from the log |
//! | the UDF ends | it is started again from the state; a line that ends it each time is left out |
//! | the server is away | each call is tried again until it answers |
//! | retention has removed input | the driver gives up, or goes on if the settings say so |

pub(crate) mod append;
mod chunks;
pub(crate) mod context;
mod counters;
pub(crate) mod error;
mod event;
mod left_out;
pub(crate) mod pull;
pub(crate) mod put;
mod register;
mod run;
pub(crate) mod search;
pub(crate) mod shared;
mod start;
mod ticks;

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::watch;

use context::{Context, Report};
pub use counters::{Count, Counters};
pub use error::PartitionError;
use error::Stop;
pub use event::{Event, Level, Refused, Search as SearchStage};
pub use register::{PoisonLine, Register, State, register_key};
use run::Run;
use search::{Next, Search};

use crate::log::{Clock, DeadLetter, Log};
use crate::udf::Udf;

/// The number of lines that may be left out between two snapshots.
const MAX_POISON: usize = 1000;

/// The number of lines that may be left out before the UDF handles one. A UDF that every line ends
/// has a fault of another kind, and must not drain the input.
const MAX_POISON_IN_A_ROW: u32 = 100;

/// The settings of the driver of a partition.
#[derive(Debug, Clone)]
#[must_use]
#[non_exhaustive]
pub struct Settings {
    /// The number of the partition.
    pub partition: u32,
    /// The name of the worker, which no other running worker has.
    pub worker: String,
    /// The name of the UDF, which belongs to the state.
    pub udf: String,
    /// The grouping as text, which belongs to the state.
    pub grouping: String,
    /// The time between two snapshots. Defaults to 10 s.
    pub snapshot_every: Duration,
    /// The bytes of input between two snapshots. Defaults to 64 MiB.
    pub snapshot_bytes: u64,
    /// What happens to a line that ends the UDF each time. Defaults to [`OnPoison::DeadLetter`].
    pub on_poison: OnPoison,
    /// Whether to go on if retention has removed input. Defaults to `false`.
    pub skip_lost: bool,
    /// The size of a chunk in bytes of input. Defaults to 512 KiB.
    pub chunk_bytes: usize,
    /// The number of chunks in the UDF and on their way to the log. Defaults to 6.
    pub depth: usize,
}

/// What happens to a line that ends the UDF each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPoison {
    /// The line goes to the dead-letter subject, and the UDF never gets it again.
    #[default]
    DeadLetter,
    /// The driver gives up.
    Stop,
}

impl Settings {
    /// Creates the settings of a worker for a partition.
    pub fn new(partition: u32, worker: impl Into<String>) -> Self {
        Settings {
            partition,
            worker: worker.into(),
            udf: String::new(),
            grouping: String::new(),
            snapshot_every: Duration::from_secs(10),
            snapshot_bytes: 64 << 20,
            on_poison: OnPoison::default(),
            skip_lost: false,
            chunk_bytes: 512 << 10,
            depth: 6,
        }
    }

    /// Sets the name of the UDF, and the grouping as text.
    pub fn state_of(mut self, udf: impl Into<String>, grouping: impl Into<String>) -> Self {
        (self.udf, self.grouping) = (udf.into(), grouping.into());
        self
    }

    /// Sets [`snapshot_every`](Settings#structfield.snapshot_every).
    pub fn snapshot_every(mut self, time: Duration) -> Self {
        self.snapshot_every = time;
        self
    }

    /// Sets [`snapshot_bytes`](Settings#structfield.snapshot_bytes).
    pub fn snapshot_bytes(mut self, bytes: u64) -> Self {
        self.snapshot_bytes = bytes;
        self
    }

    /// Sets [`on_poison`](Settings#structfield.on_poison).
    pub fn on_poison(mut self, on_poison: OnPoison) -> Self {
        self.on_poison = on_poison;
        self
    }

    /// Sets [`skip_lost`](Settings#structfield.skip_lost).
    pub fn skip_lost(mut self, skip_lost: bool) -> Self {
        self.skip_lost = skip_lost;
        self
    }

    /// Sets [`chunk_bytes`](Settings#structfield.chunk_bytes).
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes;
        self
    }

    /// Sets [`depth`](Settings#structfield.depth).
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }
}

/// Drives a partition until `leave` is true or its sender is dropped. Then stores a snapshot, and
/// returns. Calls `report` with every event worth logging.
///
/// Correctness does not depend on who calls it: any number of workers may drive a partition at once.
/// Only one of them makes progress.
///
/// # Errors
/// If the driver cannot go on: see [`PartitionError`].
pub async fn drive<L: Log, C: Clock>(
    settings: &Settings,
    log: &L,
    clock: &C,
    udf: &mut impl Udf,
    counters: &Counters,
    mut leave: watch::Receiver<bool>,
    report: &dyn Fn(&Event<'_>),
) -> Result<(), PartitionError> {
    let (failing, snapshots) = (Cell::new(0), Cell::new(0));
    let report = Report { to: report, failing: &failing };
    let context = Context { log, clock, report, snapshots: &snapshots };
    let (mut search, mut limit, mut fenced) = (Search::default(), None, 0);
    loop {
        let position = counters.position.get();
        let run = async {
            let context = (context, settings);
            Run::start(context, counters, udf, &mut search, limit, leave.clone())
                .await?
                .drive()
                .await
        };
        let ended = run.await;
        if counters.position.get() > position {
            fenced = 0;
        }
        let pause = match ended {
            Ok(()) => return Ok(()),
            Err(Stop::GiveUp(error)) => return Err(error),
            Err(Stop::Smaller(bytes)) => {
                // The headers of a message count too.
                limit = Some(bytes.saturating_sub(1 << 10).max(1));
                Duration::ZERO
            }
            Err(Stop::Fenced(what)) => shared::fenced(&mut fenced, what, counters, report),
            Err(Stop::Udf(death)) => {
                counters.deaths.add(1);
                match search.died(&death) {
                    Next::GiveUp(times) => {
                        return Err(PartitionError::KeepsEnding { times, why: death.why });
                    }
                    Next::Restart(pause) => {
                        let (why, search) = (&death.why[..], search.stage());
                        report.event(&Event::UdfEnded { why, pause, search });
                        pause
                    }
                    Next::Poison { seq, line, payload } => {
                        let partition = Some(settings.partition);
                        let why = death.why;
                        let letter = DeadLetter { partition, seq, line, why, payload };
                        match leave_out(context, settings, counters, letter).await {
                            Err(Stop::GiveUp(error)) => return Err(error),
                            // The next start reads what the other worker has written.
                            _ => Duration::ZERO,
                        }
                    }
                }
            }
        };
        let is_left = leave.wait_for(|leave| *leave);
        tokio::select! {
            biased;
            _ = is_left => return Ok(()),
            () = clock.sleep(pause) => {}
        }
    }
}

/// Writes a poison line to the dead-letter subject, and then to the register of the partition.
async fn leave_out<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    settings: &Settings,
    counters: &Counters,
    letter: DeadLetter,
) -> Result<(), Stop> {
    let (seq, line) = (letter.seq, letter.line);
    if settings.on_poison == OnPoison::Stop {
        return Err(PartitionError::Poison { seq, line, why: letter.why }.into());
    }
    let store = register::Store { context, settings };
    let stored = store.register().await?;
    let mut register = stored.register;
    if register.poison.len() >= MAX_POISON {
        return Err(PartitionError::TooMuchPoison { limit: MAX_POISON }.into());
    }
    if register.poison_in_a_row >= MAX_POISON_IN_A_ROW {
        return Err(PartitionError::EachLine { lines: MAX_POISON_IN_A_ROW, why: letter.why }.into());
    }
    context.report.event(&Event::Poison { seq, line, why: &letter.why });
    let append = || context.log.dead_letter(letter.clone());
    context.retry("append to the dead-letter subject", append).await?;
    register.poison_in_a_row += 1;
    register.version += 1;
    register.poison.push(PoisonLine { seq, line, version: register.version });
    store.move_to(stored.revision, register).await?;
    counters.poison.add(1);
    Ok(())
}
