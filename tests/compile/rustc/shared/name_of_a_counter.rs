use udf_runtime::Counter;

static HITS: Counter = Counter::new("cache.hits_total", "Hits.");
static MISSES: Counter = Counter::new("misses", "Misses.");
static OURS: Counter = Counter::new("udf_misses_total", "Misses.");

fn main() {
    HITS.add(MISSES.get() + OURS.get());
}
