//! Restores the state of a UDF from a snapshot. The code does not depend on the type of the UDF,
//! so it is compiled once.

use crate::agent::error::{self, Error, MAX_TEXT, Result};
use crate::agent::handler::Verdict;
use crate::udf::state::{StateReader, StateWriter};
use crate::udf::traits::{Reads, Udf};

/// Sets what happens to a snapshot that does not fit the UDF: it is damaged, or from another UDF,
/// or has another state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnfitSnapshot {
    /// Refuses the snapshot, which stops the task until an operator decides.
    #[default]
    Refuse,
    /// Starts the UDF without state, and logs a warning.
    StartFresh,
}

/// The remedy for a refused snapshot.
const START_FRESH: &str = "to start without state, add --bad-snapshot fresh to the arguments of the daemon, \
                           or to `args` in kapacitor.conf";

/// The state of a UDF of any type.
pub(super) trait Stateful {
    fn save(&self, state: &mut StateWriter) -> Result<()>;
    fn load(&mut self, state: &mut StateReader<'_>) -> Result<()>;
    fn restored(&mut self) -> Result<()>;
}

impl<T: Udf> Stateful for T {
    fn save(&self, state: &mut StateWriter) -> Result<()> {
        Udf::save(self, state)
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<()> {
        Udf::load(self, state)
    }

    fn restored(&mut self) -> Result<()> {
        T::Wants::restored(self)
    }
}

/// Restores the state of the UDF `name`.
pub(super) fn restore(
    udf: &mut dyn Stateful,
    name: &str,
    snapshot: &[u8],
    unfit: UnfitSnapshot,
) -> Verdict {
    if snapshot.is_empty() {
        // A UDF without state sends an empty snapshot, even if it was not written with this kit.
        tracing::info!("the snapshot is empty: there is nothing to restore");
        return Verdict::Accepted;
    }
    let restored = StateReader::open(name, snapshot).map_err(Error::from);
    let restored = restored.and_then(|mut state| {
        replace_state(udf, name, &mut state)?;
        for warning in state.warnings() {
            tracing::warn!("{warning}");
        }
        if let Some(fields) = few(&mut state.left()) {
            tracing::warn!("the snapshot has {fields}, which this UDF no longer has");
        }
        Ok(())
    });
    match restored {
        Ok(()) => Verdict::Accepted,
        Err(error) if unfit == UnfitSnapshot::StartFresh => {
            let error = error::line(error.as_ref(), MAX_TEXT);
            tracing::warn!("starting without state: {error}");
            Verdict::Accepted
        }
        Err(error) => {
            let error = error::line(error.as_ref(), MAX_TEXT / 2);
            Verdict::Refused(format!("{error}; {START_FRESH}"))
        }
    }
}

/// Loads the state, and calls the UDF's `restored`. An error leaves the state unchanged.
fn replace_state(udf: &mut dyn Stateful, name: &str, state: &mut StateReader<'_>) -> Result<()> {
    let mut before = StateWriter::new(name);
    udf.save(&mut before)?;
    udf.load(state)?;
    udf.restored().or_else(|error| {
        udf.load(&mut StateReader::open(name, &before.finish())?)?;
        Err(error)
    })
}

/// Lists the first names and counts the others. A peer controls their number and their length.
fn few(names: &mut dyn Iterator<Item = &str>) -> Option<String> {
    const FEW: usize = 10;
    let shown = (&mut *names).take(FEW);
    let shown = shown.map(|name| format!("`{}`", error::cut(name.to_owned(), 64)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match (shown.is_empty(), names.count()) {
        (true, _) => None,
        (false, 0) => Some(shown),
        (false, more) => Some(format!("{shown} and {more} more fields")),
    }
}
