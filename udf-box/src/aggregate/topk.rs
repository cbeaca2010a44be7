//! The most frequent values, in bounded memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use udf_runtime::options::{FieldName, TagName};
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Group, Point, Result, Stream, StreamUdf, Task, Tick, udf};

use crate::common::window::{Closed, Window};
use crate::common::{number, subject};

/// The values of a tag or a field that are most frequent in a window of time, or that have the
/// largest sums of another field, by the space-saving algorithm.
#[udf(wants = stream, provides = stream, tick = every, at_least_one_of(field, tag))]
pub struct Topk {
    /// Field whose values are counted.
    #[option(conflicts = tag)]
    field: Option<FieldName>,
    /// Tag whose values are counted.
    #[option]
    tag: Option<TagName>,
    /// Field whose values are summed up for each value, in place of a count. Values below 0 count
    /// as 0.
    #[option]
    sum: Option<FieldName>,
    /// Number of values to send.
    #[option(default = 10, range = 1..=1000)]
    size: usize,
    /// Number of values to count at a time. More are more exact.
    #[option(default = 200, range = 1..=10_000)]
    counters: usize,
    /// Length of a window. Windows are aligned to 1970-01-01.
    #[option(default = "1m", range = "1ms"..)]
    every: Duration,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 1000, range = 1..)]
    max_groups: usize,
    #[state(made_with(field, tag, sum, every), max = max_groups)]
    windows: Groups<Window<Counters>>,
}

/// The counters of a window.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counters {
    counters: Vec<Counter>,
    /// The number of values that share the counters.
    points: i64,
}

/// The count of a value, which is at most `error` too large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counter {
    value: String,
    count: f64,
    error: f64,
}

impl Counters {
    /// Counts a value. A value without a counter takes over the smallest one.
    fn add(&mut self, value: &str, weight: f64, most: usize) {
        self.points += 1;
        if let Some(counter) = self.counters.iter_mut().find(|counter| counter.value == value) {
            counter.count = (counter.count + weight).min(f64::MAX);
            return;
        }
        if self.counters.len() < most {
            self.counters.push(Counter { value: value.to_owned(), count: weight, error: 0.0 });
            return;
        }
        let smallest = self.counters.iter_mut().min_by(|a, b| a.count.total_cmp(&b.count));
        if let Some(counter) = smallest {
            counter.error = counter.count;
            counter.count = (counter.count + weight).min(f64::MAX);
            value.clone_into(&mut counter.value);
        }
    }

    /// Returns the largest counters. Of equal ones, those of the first values in the alphabet come
    /// first.
    fn largest(&self, size: usize) -> Vec<&Counter> {
        let mut all: Vec<_> = self.counters.iter().collect();
        all.sort_by(|a, b| b.count.total_cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        all.truncate(size);
        all
    }
}

impl Topk {
    /// Sends a point for each of the largest counters of a window.
    fn send(
        &self,
        group: &Group,
        closed: &Closed<Counters>,
        out: &mut Emitter<Stream>,
    ) -> Result<()> {
        for (counter, rank) in closed.value.largest(self.size).into_iter().zip(1_u32..) {
            let point = out.build_in(group).time(closed.end).tag("rank", &rank.to_string());
            let point = point.field("value", counter.value.as_str());
            let named = if self.sum.is_some() { "sum" } else { "count" };
            point.field(named, counter.count).field("max_error", counter.error).send()?;
        }
        Ok(())
    }
}

impl StreamUdf for Topk {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        if self.counters < self.size {
            return Err(format!(
                "`.counters({})` is less than `.size({})`, so that fewer values would be sent; \
                 write at least `.counters({1})`",
                self.counters, self.size
            )
            .into());
        }
        Ok(())
    }

    fn restored(&mut self) -> Result<()> {
        for (_, window) in self.windows.iter_mut() {
            let counters = window.value_mut();
            if counters.counters.len() > self.counters {
                counters.counters = counters.largest(self.counters).into_iter().cloned().collect();
            }
        }
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = subject::value(point, self.field.as_ref(), self.tag.as_ref())?;
        let weight = match &self.sum {
            Some(field) => number(point, field)?.max(0.0),
            None => 1.0,
        };
        let closed = Window::add(&mut self.windows, point, self.every, |counters| {
            counters.add(&value, weight, self.counters)
        });
        closed.iter().try_for_each(|(group, closed)| self.send(group, closed, out))
    }
}

impl Tick for Topk {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        let silent = Window::silent(&mut self.windows);
        silent.iter().try_for_each(|(group, closed)| self.send(group, closed, out))
    }
}
