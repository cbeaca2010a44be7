//! Gathers points into batches, by windows of time or all in one.

use std::collections::BTreeMap;

use udf_proto::{PointBuf, Points, messages};

use crate::batch::WholeBatch;

/// Gathers the batches of one window, by measurement and group.
#[derive(Debug)]
pub struct Batches {
    every: Option<i64>,
    /// The number of the window, which begins `window * every` nanoseconds after the epoch.
    window: Option<i64>,
    batches: BTreeMap<(String, String), WholeBatch>,
}

impl Batches {
    /// Creates an empty set of batches. Windows begin at multiples of `every` nanoseconds since the
    /// epoch. Without `every`, all points are in one window, and the time of a batch is that of its
    /// latest point.
    pub fn new(every: Option<i64>) -> Self {
        Batches { every, window: None, batches: BTreeMap::new() }
    }

    fn window_of(&self, time: i64) -> Option<i64> {
        self.every.map(|every| time.div_euclid(every))
    }

    /// Returns whether a point with this time belongs to an earlier window.
    pub fn is_past(&self, time: i64) -> bool {
        self.window.is_some() && self.window_of(time) < self.window
    }

    /// Returns whether a point with this time belongs to a later window.
    pub fn is_beyond(&self, time: i64) -> bool {
        self.window.is_some() && self.window_of(time) > self.window
    }

    /// Adds a point. The first point after [`take`](Self::take) sets the window.
    pub fn push(&mut self, point: messages::Point) {
        if self.batches.is_empty() {
            self.window = self.window_of(point.time);
        }
        let end = match (self.every, self.window) {
            (Some(every), Some(window)) => window.saturating_add(1).saturating_mul(every),
            _ => point.time,
        };
        let messages::Point { name, group, dimensions, by_name, .. } = point;
        let batch =
            self.batches.entry((name, group)).or_insert_with_key(|(name, group)| WholeBatch {
                name: name.clone(),
                group: group.clone(),
                tags: dimensions
                    .into_iter()
                    .map(|tag| {
                        let value = point.tags.get(&tag).cloned().unwrap_or_default();
                        (tag, value)
                    })
                    .collect(),
                by_name,
                tmax: end,
                points: Points::new(),
            });
        batch.tmax = batch.tmax.max(end);
        // Within a batch, Kapacitor sends only these members of a point.
        let kept = PointBuf::from(messages::Point {
            time: point.time,
            group: batch.group.clone(),
            tags: point.tags,
            fields_double: point.fields_double,
            fields_int: point.fields_int,
            fields_string: point.fields_string,
            fields_bool: point.fields_bool,
            ..Default::default()
        });
        batch.points.push(&kept.as_point());
    }

    /// Removes all batches and returns them, sorted by measurement and group.
    pub fn take(&mut self) -> impl Iterator<Item = WholeBatch> + use<> {
        std::mem::take(&mut self.batches).into_values().map(sorted)
    }
}

/// Returns the batch with its points sorted by time.
fn sorted(mut batch: WholeBatch) -> WholeBatch {
    if !batch.points.iter().is_sorted_by_key(|point| point.time()) {
        let mut order: Vec<_> = batch.points.iter().collect();
        order.sort_by_key(|point| point.time());
        let mut points = Points::new();
        for point in order {
            points.push(&point);
        }
        batch.points = points;
    }
    batch
}
