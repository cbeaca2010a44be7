//! Points gathered into batches: those of one window of time, or all there are.

use std::collections::BTreeMap;

use udf_proto::{PointBuf, Points, messages};

use crate::batch::Batch;

/// The batches of a window as they grow, by measurement and group.
#[derive(Debug)]
pub struct Batches {
    every: Option<i64>,
    /// Which window it is: its begin is so many times `every` after the epoch.
    window: Option<i64>,
    batches: BTreeMap<(String, String), Batch>,
}

impl Batches {
    /// None yet. Windows begin at multiples of `every` nanoseconds since the epoch; without it, there is
    /// one, and the time of a batch is that of its latest point.
    pub fn new(every: Option<i64>) -> Self {
        Batches { every, window: None, batches: BTreeMap::new() }
    }

    fn window_of(&self, time: i64) -> Option<i64> {
        self.every.map(|every| time.div_euclid(every))
    }

    /// Whether a point of this time belongs to a window before this one.
    pub fn is_past(&self, time: i64) -> bool {
        self.window.is_some() && self.window_of(time) < self.window
    }

    /// Whether a point of this time belongs to a window behind this one.
    pub fn is_beyond(&self, time: i64) -> bool {
        self.window.is_some() && self.window_of(time) > self.window
    }

    /// Takes in a point; the first one of a window decides which window it is.
    pub fn push(&mut self, point: messages::Point) {
        if self.batches.is_empty() {
            self.window = self.window_of(point.time);
        }
        let end = match (self.every, self.window) {
            (Some(every), Some(window)) => window.saturating_add(1).saturating_mul(every),
            _ => point.time,
        };
        let messages::Point { name, group, dimensions, by_name, .. } = point;
        let batch = self.batches.entry((name, group)).or_insert_with_key(|(name, group)| Batch {
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
        // Kapacitor sends no more than this of a point within a batch.
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

    /// Hands out all batches, in the order of their measurements and groups.
    pub fn take(&mut self) -> impl Iterator<Item = Batch> + use<> {
        std::mem::take(&mut self.batches).into_values().map(sorted)
    }
}

/// The batch with its points in the order of their times.
fn sorted(mut batch: Batch) -> Batch {
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
