//! Levels of severity that do not flap.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::{FieldName, OptionType};
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::number;

/// Levels of severity with a threshold to enter, a threshold to leave, and minimum durations.
#[udf(wants = stream, provides = stream)]
pub struct Hysteresis {
    /// Field to judge.
    #[option]
    field: FieldName,
    /// A level: its name, the value at which it begins, and the value at which it ends. Call it once
    /// for each level, the least severe level first. If a level begins below its end, low values are
    /// severe.
    #[option(len = 1..=20, example = ("warning", 80.0, 70.0))]
    level: Vec<Level>,
    /// Time for which a value must stay beyond the threshold before the level begins.
    #[option(default = "0s")]
    enter_after: Duration,
    /// Time for which a value must stay beyond the threshold before the level ends.
    #[option(default = "0s")]
    leave_after: Duration,
    /// Sends only points that change the level.
    #[option(flag)]
    changes_only: bool,
    /// Name of the field that is added. `level_number` and `level_changed` have the same beginning.
    #[option(default = "level")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 100_000, range = 1..)]
    max_groups: usize,
    #[state(made_with(field, level), max = max_groups)]
    groups: Groups<Judged>,
    number: String,
    changed: String,
}

/// A level of severity.
#[derive(Debug, OptionType)]
struct Level {
    name: String,
    enter: f64,
    leave: f64,
}

impl Level {
    /// Returns whether the value crosses the threshold at which the level begins or ends.
    fn is_crossed(&self, value: f64, is_active: bool) -> bool {
        let is_high = self.enter >= self.leave;
        match is_active {
            false if is_high => value >= self.enter,
            false => value <= self.enter,
            true if is_high => value < self.leave,
            true => value > self.leave,
        }
    }
}

/// The levels of a group, in the order of the options.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Judged {
    time: Option<i64>,
    /// The number of the present level, from 1. 0 means that no level is active.
    level: usize,
    states: Vec<State>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    is_active: bool,
    /// The time since which the values cross the threshold.
    crossed: Option<i64>,
}

impl StreamUdf for Hysteresis {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        if self.level.iter().any(|level| level.enter.is_nan() || level.leave.is_nan()) {
            return Err("a threshold of `.level` is not a number".into());
        }
        self.number = format!("{}_number", &*self.r#as);
        self.changed = format!("{}_changed", &*self.r#as);
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let (time, value) = (point.time(), number(point, &self.field)?);
        let judged = self.groups.of(point);
        if judged.time.is_some_and(|last| time < last) {
            return Ok(());
        }
        judged.time = Some(time);
        judged.states.resize_with(self.level.len(), State::default);
        for (level, state) in self.level.iter().zip(&mut judged.states) {
            if !level.is_crossed(value, state.is_active) {
                state.crossed = None;
                continue;
            }
            let since = *state.crossed.get_or_insert(time);
            let after = if state.is_active { self.leave_after } else { self.enter_after };
            if i128::from(time) - i128::from(since) >= after.as_nanos() as i128 {
                *state = State { is_active: !state.is_active, crossed: None };
            }
        }
        let level = judged.states.iter().rposition(|state| state.is_active);
        let level = level.map_or(0, |at| at + 1);
        let is_changed = std::mem::replace(&mut judged.level, level) != level;
        if self.changes_only && !is_changed {
            return Ok(());
        }
        let name = level.checked_sub(1).map_or("ok", |at| self.level[at].name.as_str());
        let edit = out.edit(point).field(&self.r#as, name);
        Ok(edit.field(&self.number, level as i64).field(&self.changed, is_changed).send()?)
    }
}
