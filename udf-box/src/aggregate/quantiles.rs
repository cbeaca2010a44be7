//! Quantiles of windows of time, in bounded memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tdigest::{Centroid, TDigest};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Group, Point, Result, Stream, StreamUdf, Tick, udf};

use crate::common::number;
use crate::common::window::{Closed, Window};

/// Quantiles of a field in windows of time, by a t-digest.
#[udf(wants = stream, provides = stream, tick = every)]
pub struct Quantiles {
    /// Field to read.
    #[option]
    field: FieldName,
    /// A quantile to send, from 0 to 1. Call it once for each quantile.
    #[option(name = "quantile", len = 1..=100, range = 0.0..=1.0, example = 0.99)]
    quantiles: Vec<f64>,
    /// Length of a window. Windows are aligned to 1970-01-01.
    #[option(default = "1m", range = "1ms"..)]
    every: Duration,
    /// Size of the digest: the number of clusters that it keeps. More are more exact.
    #[option(default = 100, range = 10..=1000)]
    compression: usize,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    #[state(made_with(field, every), max = max_groups)]
    windows: Groups<Window<Digest>>,
}

/// The values of a window.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Digest {
    /// The mean and the weight of each cluster, in the order of the means.
    clusters: Vec<(f64, f64)>,
    /// Values that are in no cluster yet.
    waiting: Vec<f64>,
    min: f64,
    max: f64,
    count: u64,
}

impl Digest {
    fn add(&mut self, value: f64, compression: usize) {
        let is_first = self.count == 0;
        self.min = if is_first { value } else { self.min.min(value) };
        self.max = if is_first { value } else { self.max.max(value) };
        self.count += 1;
        self.waiting.push(value);
        if self.waiting.len() >= 4 * compression {
            let digest = self.digest(compression);
            let cluster = |one: &Centroid| (one.mean(), one.weight());
            self.clusters.clear();
            self.clusters.extend(digest.centroids().iter().map(cluster));
            self.waiting.clear();
        }
    }

    /// Returns the digest of all values.
    fn digest(&self, compression: usize) -> TDigest {
        let clusters = self.clusters.iter().map(|&(mean, weight)| Centroid::new(mean, weight));
        let clusters: Vec<_> = clusters.collect();
        let digest = if clusters.is_empty() {
            TDigest::new_with_size(compression)
        } else {
            // The sum is never read, and could overflow.
            let count = self.count as f64 - self.waiting.len() as f64;
            TDigest::new(clusters, 0.0, count, Some(self.max), Some(self.min), compression)
        };
        digest.merge_unsorted(self.waiting.clone())
    }
}

impl Quantiles {
    /// Sends the quantiles of a window.
    fn send(
        &self,
        group: &Group,
        closed: &Closed<Digest>,
        out: &mut Emitter<Stream>,
    ) -> Result<()> {
        let digest = closed.value.digest(self.compression);
        let count = i64::try_from(closed.value.count).unwrap_or(i64::MAX);
        let mut point = out.build_in(group).time(closed.end).field("count", count);
        for quantile in &self.quantiles {
            let value = digest.estimate_quantile(*quantile);
            point = point.field(&name(*quantile), value);
        }
        Ok(point.send()?)
    }
}

/// Returns the name of the field of a quantile: `p50` for 0.5, and `p99.9` for 0.999.
fn name(quantile: f64) -> String {
    // Without the digits that only the multiplication brings.
    let percent = (quantile * 100.0 * 1e9).round() / 1e9;
    format!("p{percent}")
}

impl StreamUdf for Quantiles {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = number(point, &self.field)?;
        let closed = Window::add(&mut self.windows, point, self.every, |digest| {
            digest.add(value, self.compression)
        });
        closed.iter().try_for_each(|(group, closed)| self.send(group, closed, out))
    }
}

impl Tick for Quantiles {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        let silent = Window::silent(&mut self.windows);
        silent.iter().try_for_each(|(group, closed)| self.send(group, closed, out))
    }
}
