//! The distance of a value from those at the same time of earlier weeks.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::number;
use crate::common::spread::score;

/// The mean absolute deviation of values that scatter normally is this share of the standard
/// deviation.
const NORMAL: f64 = 0.797_884_560_802_865_4;

/// The most slots of a season.
const MOST_SLOTS: u128 = 2016;

/// 1970-01-01 was a Thursday. This is the time from the Monday before it.
const MONDAY: i64 = 3 * 24 * 3600 * 1_000_000_000;

/// How unusual a value is for the hour of the week: its distance from the values at this hour of
/// earlier weeks.
#[udf(wants = stream, provides = stream)]
pub struct Seasonal {
    /// Field to judge.
    #[option]
    field: FieldName,
    /// Length of a season, a week or a day. Seasons begin on Monday, at midnight.
    #[option(default = "168h", range = "1m"..)]
    season: Duration,
    /// Length of a slot, whose values are compared.
    #[option(default = "1h", range = "1s"..)]
    slot: Duration,
    /// Time by which the local clock is ahead of UTC.
    #[option(default = "0s", range = ..="14h")]
    ahead: Duration,
    /// Time by which the local clock is behind UTC.
    #[option(default = "0s", range = ..="12h", conflicts = ahead)]
    behind: Duration,
    /// Number of earlier values of a slot that are needed for a score. Points before that are not
    /// sent.
    #[option(default = 10, range = 2..=1_000_000)]
    min_points: u32,
    /// Number of values after which old ones hardly count. With 60 points in a slot, 600 are ten
    /// seasons.
    #[option(default = 600, range = 2..=1_000_000)]
    memory: u32,
    /// Smallest deviation. Set it to ignore small changes of a value that is nearly constant.
    #[option(default = 0.0, range = 0.0..)]
    min_deviation: f64,
    /// Name of the field that is added. `seasonal_mean` has the same beginning.
    #[option(default = "seasonal")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 1000, range = 1..)]
    max_groups: usize,
    #[state(made_with(field, season, slot, ahead, behind), max = max_groups)]
    profiles: Groups<Vec<Slot>>,
    slots: usize,
    mean: String,
}

/// The values of a slot, in quarters: the difference of two huge values could overflow.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Slot {
    count: u32,
    mean: f64,
    /// The mean absolute deviation.
    deviation: f64,
}

impl Slot {
    fn add(&mut self, value: f64, memory: u32) {
        self.count = (self.count + 1).min(memory);
        let share = 1.0 / f64::from(self.count);
        let distance = (value - self.mean).abs();
        // The first value has no distance.
        let distance = if self.count == 1 { 0.0 } else { distance };
        self.deviation += (distance - self.deviation) * share;
        self.mean += (value - self.mean) * share;
    }
}

impl Seasonal {
    /// Returns the number of the slot of a time.
    fn slot_of(&self, time: i64) -> usize {
        let nanos = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        let local = i128::from(time) + i128::from(MONDAY) + nanos(self.ahead) - nanos(self.behind);
        let slot = local.rem_euclid(nanos(self.season)) / nanos(self.slot);
        usize::try_from(slot).unwrap_or(0).min(self.slots - 1)
    }
}

impl StreamUdf for Seasonal {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        let slots = self.season.as_nanos().div_ceil(self.slot.as_nanos());
        if !(2..=MOST_SLOTS).contains(&slots) {
            return Err(format!(
                "a season of {:?} has {slots} slots of {:?}, and must have from 2 to {MOST_SLOTS}; \
                 choose another `.slot`",
                self.season, self.slot
            )
            .into());
        }
        self.slots = usize::try_from(slots)?;
        self.mean = format!("{}_mean", &*self.r#as);
        Ok(())
    }

    fn restored(&mut self) -> Result<()> {
        let memory = self.memory;
        let slots = self.profiles.iter_mut().flat_map(|(_, profile)| profile.iter_mut());
        slots.for_each(|slot| slot.count = slot.count.min(memory));
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = number(point, &self.field)? / 4.0;
        let place = self.slot_of(point.time());
        let profile = self.profiles.of(point);
        profile.resize(self.slots, Slot::default());
        let slot = &mut profile[place];
        if slot.count >= self.min_points {
            let deviation = (slot.deviation / NORMAL).max(self.min_deviation / 4.0);
            let found = score(value, slot.mean, deviation);
            // Rounding can make the mean of the largest floats larger than they are.
            let mean = (slot.mean * 4.0).clamp(f64::MIN, f64::MAX);
            out.edit(point).field(&self.r#as, found).field(&self.mean, mean).send()?;
        }
        slot.add(value, self.memory);
        Ok(())
    }
}
