//! Keeps the state of the UDF between two runs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use udf_text::line_protocol::Grouping;

use super::event::{Event, TelegrafError};
use super::shared::{Shared, lock};
use super::{OnUnfit, State, Telegraf};
use crate::interface::Interface;
use crate::spawn::spawn;
use crate::state_file::{LoadError, StateFile, StateOf, Unusable};

/// The state file of a run.
pub(super) struct Kept {
    file: StateFile,
    name: String,
    grouping: Grouping,
    state: State,
}

impl Kept {
    /// Opens and locks the state file, if one is set. Returns none if another process uses it.
    pub(super) fn open(
        telegraf: &Telegraf,
        shared: &Shared,
    ) -> Result<Option<Self>, TelegrafError> {
        let Some(state) = telegraf.state.clone() else { return Ok(None) };
        let Some(file) = StateFile::open(&state.path).map_err(TelegrafError::StateFile)? else {
            shared.log(&Event::StateInUse(&state.path));
            return Ok(None);
        };
        let (name, grouping) = (telegraf.name.clone(), telegraf.grouping.clone());
        Ok(Some(Kept { file, name, grouping, state }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.state.path
    }

    fn of(&self) -> StateOf<'_> {
        StateOf { udf: &self.name, grouping: &self.grouping }
    }

    /// Returns the saved state, if one fits.
    pub(super) fn load(&self, shared: &Shared) -> Result<Option<Vec<u8>>, TelegrafError> {
        match self.file.load(&self.of(), self.state.max_age, SystemTime::now()) {
            Ok(state) => Ok(state),
            // The limit says that no state is better than an old one.
            Err(LoadError::Unusable { why: why @ Unusable::TooOld { .. }, .. }) => {
                self.set_aside(&why, shared).map(|()| None)
            }
            Err(LoadError::Unusable { why, .. }) => self.unfit(&why, shared).map(|()| None),
            Err(error @ LoadError::Read { .. }) => Err(TelegrafError::State(error)),
        }
    }

    /// Moves a state aside that does not fit, or refuses to run.
    pub(super) fn unfit(
        &self,
        why: &dyn std::fmt::Display,
        shared: &Shared,
    ) -> Result<(), TelegrafError> {
        match self.state.on_unfit {
            OnUnfit::Fresh => self.set_aside(why, shared),
            OnUnfit::Refuse => {
                Err(TelegrafError::Unfit { path: self.state.path.clone(), why: why.to_string() })
            }
        }
    }

    fn set_aside(&self, why: &dyn std::fmt::Display, shared: &Shared) -> Result<(), TelegrafError> {
        let moved_to = self.file.set_aside().map_err(TelegrafError::StateFile)?;
        shared.log(&Event::StateSetAside { path: &self.state.path, why, moved_to: &moved_to });
        Ok(())
    }
}

/// Saves the state of a running UDF.
pub(super) struct Saver {
    kept: Mutex<Kept>,
    is_saving: AtomicBool,
    has_told_empty: AtomicBool,
    udf: Arc<dyn Interface>,
    shared: Arc<Shared>,
}

impl Saver {
    pub(super) fn new(kept: Kept, udf: &Arc<dyn Interface>, shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Saver {
            kept: Mutex::new(kept),
            is_saving: AtomicBool::new(false),
            has_told_empty: AtomicBool::new(false),
            udf: Arc::clone(udf),
            shared: Arc::clone(shared),
        })
    }

    /// Saves the state on another thread, unless a save is under way.
    pub(super) fn start(self: &Arc<Self>) {
        if self.is_saving.swap(true, Ordering::SeqCst) {
            return;
        }
        let saver = Arc::clone(self);
        let started = spawn("telegraf-save", move || {
            saver.save();
            saver.is_saving.store(false, Ordering::SeqCst);
        });
        if let Err(error) = started {
            self.is_saving.store(false, Ordering::SeqCst);
            self.shared.log(&Event::StateNotSaved(&error));
        }
    }

    /// Saves the state. Waits for a save that is under way.
    pub(super) fn save(&self) {
        let kept = lock(&self.kept);
        // The end of the connection is reported by the thread that waits for it.
        let Ok(snapshot) = self.udf.snapshot() else { return };
        if snapshot.is_empty() && !self.has_told_empty.swap(true, Ordering::SeqCst) {
            self.shared.log(&Event::NoState(&kept.state.path));
        }
        if let Err(error) = kept.file.save(&kept.of(), &snapshot, SystemTime::now()) {
            self.shared.log(&Event::StateNotSaved(&error));
        }
    }
}
