//! The values of one series in bounded memory.

/// A value at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The time, in nanoseconds since the epoch.
    pub time: i64,
    /// The value, which is finite.
    pub value: f64,
}

/// The number of bins of a full series: at least two for each pixel column of a wide picture.
const BINS: u32 = 2048;

/// The most samples of a series. Thinning leaves at most half of them.
const FULL: usize = BINS as usize * 8;

/// An interval interrupts a line if it is longer than this many usual intervals.
const GAP: u64 = 10;

/// Collects the samples of a series in any order.
///
/// Up to [`FULL`] samples are kept as they are. Then the range of the times is cut into bins, and
/// the first, the least, the greatest and the last sample of each bin stay.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    kept: Vec<Sample>,
    /// The number of samples that were pushed.
    pub(crate) count: u64,
    /// The median interval before the first thinning.
    usual: Option<u64>,
    /// The longest distance of samples that thinning can have made.
    thinned: u64,
}

impl Samples {
    pub(crate) fn push(&mut self, sample: Sample) {
        if self.kept.len() == FULL {
            self.thin();
        }
        self.kept.push(sample);
        self.count += 1;
    }

    fn thin(&mut self) {
        sort(&mut self.kept);
        if self.usual.is_none() {
            self.usual = usual_interval(&self.kept);
        }
        let [first, .., last] = self.kept[..] else { return };
        self.thinned = last.time.abs_diff(first.time) / u64::from(BINS) * 2 + 2;
        self.kept = thin(&self.kept, (first.time, last.time), BINS);
    }

    /// Returns the samples in the order of time.
    pub(crate) fn sorted(mut self) -> Sorted {
        sort(&mut self.kept);
        let usual = self.usual.or_else(|| usual_interval(&self.kept));
        let gap = usual.map_or(u64::MAX, |usual| usual.saturating_mul(GAP)).max(self.thinned);
        Sorted { samples: self.kept, count: self.count, gap }
    }
}

/// Samples in the order of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sorted {
    pub(crate) samples: Vec<Sample>,
    /// The number of samples before thinning.
    pub(crate) count: u64,
    /// The longest interval without a gap.
    gap: u64,
}

impl Sorted {
    /// Cuts the samples at gaps.
    pub(crate) fn runs(&self) -> Vec<Vec<Sample>> {
        let within = |a: &Sample, b: &Sample| b.time.abs_diff(a.time) <= self.gap;
        self.samples.chunk_by(within).map(<[_]>::to_vec).collect()
    }

    /// Returns the value at `time`, on a straight line between the samples around it.
    pub(crate) fn at(&self, time: i64) -> Option<f64> {
        let after = self.samples.partition_point(|sample| sample.time < time);
        let next = self.samples.get(after).or(self.samples.last())?;
        let Some(before) = after.checked_sub(1).map(|before| self.samples[before]) else {
            return Some(next.value);
        };
        if next.time <= time {
            return Some(next.value);
        }
        let whole = next.time.abs_diff(before.time) as f64;
        let share = time.abs_diff(before.time) as f64 / whole;
        Some(before.value * (1.0 - share) + next.value * share)
    }
}

/// Sorts by time. Samples of the same time keep their order.
fn sort(samples: &mut Vec<Sample>) {
    if samples.is_sorted_by_key(|sample| sample.time) {
        return;
    }
    // One kind of elements is sorted everywhere in this crate, which keeps programs small.
    let times = samples.iter().enumerate().map(|(place, sample)| (sample.time, place));
    let mut order: Vec<_> = times.collect();
    order.sort_unstable();
    *samples = order.into_iter().map(|(_, place)| samples[place]).collect();
}

/// Returns the median of the intervals between different times.
fn usual_interval(sorted: &[Sample]) -> Option<u64> {
    let intervals = sorted.windows(2).map(|pair| pair[1].time.abs_diff(pair[0].time));
    let intervals = intervals.filter(|interval| *interval > 0);
    let limited = intervals.map(|interval| (i64::try_from(interval).unwrap_or(i64::MAX), 0));
    let mut intervals: Vec<(i64, usize)> = limited.collect();
    intervals.sort_unstable();
    let middle = intervals.len().checked_sub(1)? / 2;
    Some(intervals[middle].0.unsigned_abs())
}

/// Cuts `range` into `bins`, and returns the first, the least, the greatest and the last sample of
/// each bin.
pub(crate) fn thin(sorted: &[Sample], range: (i64, i64), bins: u32) -> Vec<Sample> {
    let span = u128::from(range.1.abs_diff(range.0)) + 1;
    let bin = |sample: &Sample| {
        let offset = (i128::from(sample.time) - i128::from(range.0)).max(0).unsigned_abs();
        offset * u128::from(bins) / span
    };
    let mut kept = Vec::new();
    for bin in sorted.chunk_by(|a, b| bin(a) == bin(b)) {
        let (mut least, mut greatest) = (0, 0);
        for (place, sample) in bin.iter().enumerate() {
            least = if sample.value < bin[least].value { place } else { least };
            greatest = if sample.value > bin[greatest].value { place } else { greatest };
        }
        let mut last = None;
        for place in [0, least.min(greatest), least.max(greatest), bin.len() - 1] {
            if last.replace(place) != Some(place) {
                kept.push(bin[place]);
            }
        }
    }
    kept
}
