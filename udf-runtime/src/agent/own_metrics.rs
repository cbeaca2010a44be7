//! The counters and gauges of an author, which the metrics of the process include.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::agent::sync::{Mutex, lock};

/// A number that only grows, next to the kit's own metrics at `--metrics`.
///
/// A counter is a `static`. List it in `metrics(...)` of `#[udf]`: then the metrics of the program
/// show it from the start, with 0. All tasks of the process add to the same counter.
///
/// ```
/// use udf_runtime::{Counter, Emitter, Point, Result, Stream, StreamUdf, udf};
///
/// static LATE: Counter = Counter::new("late_points_total", "Points older than the one before.");
///
/// /// Drops points that are older than the one before.
/// #[udf(wants = stream, provides = stream, metrics(LATE))]
/// struct InOrder {
///     last: i64,
/// }
///
/// impl StreamUdf for InOrder {
///     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
///         if point.time() < self.last {
///             LATE.add(1);
///             return Ok(());
///         }
///         self.last = point.time();
///         Ok(out.pass(point)?)
///     }
/// }
/// ```
///
/// The name appears as it is written. It must be a Prometheus name of letters, digits and `_` that
/// ends in `_total`, and it must not begin with `udf_`, because those are the names of the kit. An
/// invalid name does not compile:
///
/// ```compile_fail
/// # use udf_runtime::Counter;
/// static LATE: Counter = Counter::new("late-points", "Points older than the one before.");
/// ```
pub struct Counter {
    name: &'static str,
    help: &'static str,
    value: AtomicU64,
}

impl Counter {
    /// Creates a counter at 0, with a sentence about its meaning.
    ///
    /// # Panics
    /// Panics if the name or the help is invalid. In a `static`, this is a compile-time error.
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        check(name, help);
        assert!(ends_in_total(name), "the name of a counter ends in `_total`");
        Counter { name, help, value: AtomicU64::new(0) }
    }

    /// Adds to the counter, which takes a few nanoseconds and no lock.
    #[inline]
    pub fn add(&self, more: u64) {
        // Relaxed order suffices: no other memory depends on the value.
        self.value.fetch_add(more, Ordering::Relaxed);
    }

    /// Returns the present value.
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.name).field(&self.get()).finish()
    }
}

/// A number that rises and falls, next to the kit's own metrics at `--metrics`.
///
/// Like a [`Counter`], it is a `static` that `metrics(...)` of `#[udf]` lists. Its name must not
/// end in `_total`.
///
/// ```
/// use udf_runtime::Gauge;
///
/// static ZONES: Gauge = Gauge::new("zones", "Zones in the file that was read last.");
///
/// ZONES.set(40);
/// ZONES.add(-2);
/// assert_eq!(ZONES.get(), 38);
/// ```
pub struct Gauge {
    name: &'static str,
    help: &'static str,
    value: AtomicI64,
}

impl Gauge {
    /// Creates a gauge at 0, with a sentence about its meaning.
    ///
    /// # Panics
    /// Panics if the name or the help is invalid. In a `static`, this is a compile-time error.
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        check(name, help);
        assert!(!ends_in_total(name), "a name that ends in `_total` is that of a counter");
        Gauge { name, help, value: AtomicI64::new(0) }
    }

    /// Sets the value.
    #[inline]
    pub fn set(&self, value: i64) {
        self.value.store(value, Ordering::Relaxed);
    }

    /// Adds to the value. A negative number lowers it.
    #[inline]
    pub fn add(&self, more: i64) {
        self.value.fetch_add(more, Ordering::Relaxed);
    }

    /// Returns the present value.
    pub fn get(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.name).field(&self.get()).finish()
    }
}

/// A [`Counter`] or a [`Gauge`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a metric",
    label = "neither a `Counter` nor a `Gauge`",
    note = "write `static NAME: Counter = Counter::new(\"name_total\", \"Its meaning.\");`, and \
            `metrics(NAME)` in `#[udf(...)]`"
)]
pub trait Metric: sealed::Sealed + Sync {
    /// Returns the name.
    fn name(&self) -> &'static str;
    /// Returns the kind in the text format of Prometheus.
    #[doc(hidden)]
    fn kind(&self) -> &'static str;
    /// Returns the help.
    #[doc(hidden)]
    fn help(&self) -> &'static str;
    /// Returns the present value as text.
    #[doc(hidden)]
    fn value(&self) -> String;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Counter {}
    impl Sealed for super::Gauge {}
}

impl Metric for Counter {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> &'static str {
        "counter"
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn value(&self) -> String {
        self.get().to_string()
    }
}

impl Metric for Gauge {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> &'static str {
        "gauge"
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn value(&self) -> String {
        self.get().to_string()
    }
}

/// The metrics of an author that the metrics of the process include.
#[derive(Default)]
pub(crate) struct OwnMetrics(Mutex<Vec<&'static dyn Metric>>);

impl OwnMetrics {
    /// Includes a metric. Returns its name if another metric has that name.
    pub(crate) fn show(&self, metric: &'static dyn Metric) -> Result<(), &'static str> {
        let mut shown = lock(&self.0);
        match shown.iter().find(|shown| shown.name() == metric.name()) {
            Some(shown) if !std::ptr::addr_eq(*shown, metric) => Err(metric.name()),
            Some(_) => Ok(()),
            None => {
                shown.push(metric);
                Ok(())
            }
        }
    }

    /// Appends the metrics in the text format of Prometheus.
    pub(crate) fn append(&self, text: &mut String) {
        for metric in &*lock(&self.0) {
            let (name, help, kind) = (metric.name(), metric.help(), metric.kind());
            let value = metric.value();
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
                .expect("a string takes all");
        }
    }
}

impl fmt::Debug for OwnMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.0).iter().map(|metric| metric.name())).finish()
    }
}

/// Panics if Prometheus refuses the name, if it may be one of the kit's own, or if the help does
/// not fit on its line.
const fn check(name: &str, help: &str) {
    let name = name.as_bytes();
    assert!(!name.is_empty(), "the name of a metric is empty");
    assert!(!name[0].is_ascii_digit(), "the name of a metric begins with a letter");
    let mut at = 0;
    while at < name.len() {
        assert!(
            name[at].is_ascii_alphanumeric() || name[at] == b'_',
            "the name of a metric has only letters, digits and `_`"
        );
        at += 1;
    }
    assert!(
        !matches!(name, [b'u', b'd', b'f', b'_', ..]),
        "names that begin with `udf_` are those of the kit: begin with the name of your UDF"
    );
    assert!(!help.is_empty(), "the help of a metric is empty");
    let help = help.as_bytes();
    at = 0;
    while at < help.len() {
        assert!(
            !help[at].is_ascii_control() && help[at] != b'\\',
            "the help of a metric is one line, without a backslash"
        );
        at += 1;
    }
}

const fn ends_in_total(name: &str) -> bool {
    matches!(name.as_bytes(), [.., b'_', b't', b'o', b't', b'a', b'l'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::metrics::Metrics;

    #[test]
    fn names_that_prometheus_or_the_kit_would_not_take_are_refused() {
        let is_right = |name: &'static str, help: &'static str| {
            std::panic::catch_unwind(|| Counter::new(name, help)).is_ok()
        };
        assert!(is_right("cache_hits_total", "Look-ups that the cache answered."));
        assert!(is_right("_X9_total", "h"));
        for name in
            ["", "_tota", "hits", "9_total", "a-b_total", "a:b_total", "é_total", "udf_x_total"]
        {
            assert!(!is_right(name, "h"), "{name}");
        }
        for help in ["", "two\nlines", "a\\b"] {
            assert!(!is_right("a_total", help), "{help}");
        }
        let gauge = |name| std::panic::catch_unwind(|| Gauge::new(name, "h")).is_ok();
        assert!(gauge("zones") && !gauge("zones_total") && !gauge("udf_zones"));
    }

    #[test]
    fn metrics_of_the_author_are_shown_once_and_from_the_start() {
        static HITS: Counter = Counter::new("hits_total", "Look-ups that the cache answered.");
        static SIZE: Gauge = Gauge::new("cache_size", "Entries of the cache.");
        static OTHER: Counter = Counter::new("hits_total", "Another meaning.");
        let metrics = Metrics::new();
        for metric in [&HITS as &'static dyn Metric, &SIZE, &HITS] {
            assert_eq!(metrics.show(metric), Ok(()));
        }
        assert_eq!(metrics.show(&OTHER), Err("hits_total"));
        let text = metrics.to_prometheus();
        let end = "# HELP hits_total Look-ups that the cache answered.\n\
                   # TYPE hits_total counter\n\
                   hits_total 0\n\
                   # HELP cache_size Entries of the cache.\n\
                   # TYPE cache_size gauge\n\
                   cache_size 0\n";
        assert!(text.ends_with(end), "{text}");
        HITS.add(2);
        SIZE.add(-3);
        let text = metrics.to_prometheus();
        assert!(text.contains("\nhits_total 2\n") && text.ends_with("\ncache_size -3\n"), "{text}");
    }
}
