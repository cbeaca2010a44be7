//! Groups that go silent.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Group, Point, Result, Stream, StreamUdf, Task, Tick, udf};

/// The number of looks at the groups within the time of a silence.
const LOOKS: u32 = 4;

/// Reports groups that have gone silent, and their return.
#[udf(wants = stream, provides = stream, tick = every)]
pub struct Missing {
    /// Time without points after which a group is missing. It passes by the clock, whatever the times
    /// of the points are.
    #[option(range = "1s"..)]
    after: Duration,
    /// Time after which a missing group is forgotten. Its return is not reported then.
    #[option(default = "24h", range = "1s"..)]
    forget_after: Duration,
    /// Groups to keep. With more groups, the least recently used ones are forgotten without a
    /// report.
    #[option(default = 100_000, range = 1..)]
    max_groups: usize,
    #[state(max = max_groups)]
    groups: Groups<Silence>,
    /// Time between two looks at the groups.
    every: Duration,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Silence {
    /// The time without points. Only the time of ticks counts, so that no group is missing because
    /// Kapacitor was down.
    time: Duration,
    is_missing: bool,
}

fn report(
    group: &Group,
    is_missing: bool,
    silent: Duration,
    out: &mut Emitter<Stream>,
) -> Result<()> {
    let report = out.build_in(group).field("missing", is_missing);
    Ok(report.field("silent_seconds", silent.as_secs_f64()).send()?)
}

impl StreamUdf for Missing {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        self.every = self.after / LOOKS;
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let silence = std::mem::take(self.groups.of(point));
        if silence.is_missing {
            report(&Group::from(point), false, silence.time, out)?;
        }
        Ok(())
    }
}

impl Tick for Missing {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        let mut forgotten = Vec::new();
        for (group, silence) in self.groups.iter_mut() {
            silence.time = silence.time.saturating_add(self.every);
            // The first tick after a point comes early, by up to the time between two ticks.
            if !silence.is_missing && silence.time > self.after {
                silence.is_missing = true;
                report(group, true, silence.time - self.every, out)?;
            }
            if silence.is_missing && silence.time > self.forget_after {
                forgotten.push(group.id().to_owned());
            }
        }
        for id in forgotten {
            self.groups.remove(&id);
        }
        Ok(())
    }
}
