//! Finds the position of a partition, and starts its UDF there.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::watch;

use super::append::{Piece, append};
use super::error::{PartitionError, Stop};
use super::event::Event;
use super::pull::{Skipped, check_end};
use super::register::{Store, Stored};
use super::run::Run;
use super::search::{Death, Search};
use super::ticks::Ticks;
use super::{Context, Counters, Settings};
use crate::log::{Clock, Last, Log};
use crate::mark::Mark;
use crate::udf::{Udf, UdfError};

impl<'a, L: Log, U: Udf, C: Clock> Run<'a, L, U, C> {
    /// Reads the state and the last output of the partition, and starts the UDF with the state.
    pub(super) async fn start(
        (context, settings): (Context<'a, L, C>, &'a Settings),
        counters: &'a Counters,
        udf: &'a mut U,
        search: &'a mut Search,
        limit: Option<usize>,
        leave: watch::Receiver<bool>,
    ) -> Result<Self, Stop> {
        let Context { log, clock, report, .. } = context;
        let store = Store { context, settings };
        let last = || log.last(settings.partition);
        let last = context.retry("read the last output", last).await?;
        let mark = match last {
            None => Mark::default(),
            Some(Last { mark: Some(mark), .. }) => mark,
            Some(Last { seq, mark: None }) => {
                let partition = settings.partition;
                return Err(PartitionError::Foreign { partition, seq }.into());
            }
        };
        let (stored, state) = store.load().await?;
        store.sweep(&stored).await?;
        let stored = honour(&store, stored, last.and(Some(mark))).await?;
        let bounds = context.retry("read the bounds of the input", || log.bounds()).await?;
        check_end(mark.upto.max(stored.register.seq), bounds)?;
        let mut expected = last.map_or(0, |last| last.seq);
        if stored.register.output > expected {
            report.event(&Event::OutputGone { output: stored.register.output });
        }

        let poison = stored.register.version;
        if poison > mark.poison {
            // A message without lines. From here on, no worker gets past the fence that does not
            // leave out these lines.
            let piece = Piece { mark: Mark { poison, ..mark }, payload: Bytes::new() };
            expected = append(context, settings.partition, piece, expected).await?;
        }

        let (after, begun) = (stored.register.seq, clock.elapsed());
        report.event(&Event::Started {
            after,
            state: state.as_ref().map(|state| state.len() as u64),
            replay: mark.upto.max(after),
        });
        counters.position.set(mark.upto.max(after));
        counters.read.set(after);
        counters.stored.set(after);
        counters.state_bytes.set(state.as_ref().map_or(0, |state| state.len() as u64));
        let tick_every = udf.start(state).await.map_err(|error| match error {
            UdfError::Ended { why, .. } => {
                Stop::Udf(Death { why, done: after, fed: after, message: None, line: None })
            }
            UdfError::Refused(why) => PartitionError::Refused(why).into(),
        })?;
        search.done(after);
        Ok(Run {
            context,
            settings,
            counters,
            udf,
            search,
            leave,
            limit: limit.unwrap_or(usize::MAX),
            expected,
            read: after,
            skipped: Skipped::default(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            pending_upto: after,
            fed: after,
            done: after,
            acked: after,
            replay: mark.upto.max(after),
            begun: (mark.upto > after).then_some(begun),
            mark,
            total: stored.register.lines,
            skip: (mark.total + mark.lines).saturating_sub(stored.register.lines),
            stored,
            in_flight: VecDeque::new(),
            ready: VecDeque::new(),
            snapshot: None,
            snapshot_due: begun + settings.snapshot_every,
            bytes_since: 0,
            is_dirty: false,
            has_handled: false,
            is_asked: false,
            has_asked_last: false,
            ticks: tick_every.map(|every| Ticks::new(every, clock)),
        })
    }
}

/// Drops poison lines that are not honoured by the output. A worker that was paused may have added
/// a line that another worker has handled meanwhile: then the output goes past the line with an
/// older version.
async fn honour<L: Log, C: Clock>(
    store: &Store<'_, L, C>,
    stored: Stored,
    mark: Option<Mark>,
) -> Result<Stored, Stop> {
    let Some(mark) = mark else { return Ok(stored) };
    let mut register = stored.register.clone();
    register.poison.retain(|line| line.version <= mark.poison || line.seq > mark.upto);
    if register.poison == stored.register.poison {
        return Ok(stored);
    }
    register.version += 1;
    store.move_to(stored.revision, register).await
}
