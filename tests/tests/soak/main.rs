//! Many visitors at once, for a given time. Some are slow, some are fast, and some disconnect
//! early. One of the daemons is killed again and again. Hostile visitors and an innocent connection
//! run at the same time.
//!
//! Every point must be answered exactly once, or its connection must end with an error. After all
//! visitors have left, the daemon must have freed their resources. The test takes some seconds, or
//! as many as `UDF_SOAK_SECONDS` says. In such a long run, the innocent connection must be answered
//! in time, and the memory must stay within limits, on a machine without other work.
//! `UDF_SOAK_SEED` repeats the random numbers of the visitors:
//!
//! ```sh
//! UDF_SOAK_SECONDS=600 cargo test --release -p udf-tests --test soak -- --nocapture
//! ```

mod daemon;
mod hostile;
mod innocent;
mod visitor;

use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use udf_tests::program::TIMEOUT;

use self::daemon::{Daemon, Left};
use self::hostile::KINDS;
use self::innocent::Latencies;
use self::visitor::Visitor;

const VISITORS: u64 = 8;

/// The number of crowds of visitors, one after the other.
const CROWDS: u32 = 4;

/// The maximum growth of the memory from any earlier crowd to the last one, in bytes. The allocator
/// keeps some of the memory that a crowd needed.
const GROWTH: u64 = 128 << 20;

/// The same in a long run, which would reveal a leak of some hundred bytes per connection.
const LONG_GROWTH: u64 = 32 << 20;

/// The maximum of the resident memory in a long run, in bytes.
const LONG_PEAK: u64 = 256 << 20;

/// The maximum latency of an innocent connection in a long run.
const LONG_WAIT: Duration = Duration::from_millis(50);

/// The results of all visitors.
#[derive(Default)]
struct Seen {
    visitors: Vec<Visitor>,
    hostile: u64,
    innocent: Latencies,
    scraper: Latencies,
    machine: Latencies,
}

impl Seen {
    /// Runs visitors for `time`.
    fn soak(&mut self, time: Duration, seed: u64, steady: &Daemon, doomed: &Daemon) {
        let end = Instant::now() + time;
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed);
                while Instant::now() < end {
                    thread::sleep(Duration::from_millis(rng.u64(50..500)));
                    doomed.restart(&mut rng);
                }
            });
            let visitors = (1..=VISITORS).map(|number| {
                scope.spawn(move || {
                    let mut visitor = Visitor::new(Rng::with_seed(seed.wrapping_add(number)));
                    while Instant::now() < end {
                        visitor.visit_any(steady, doomed);
                    }
                    visitor
                })
            });
            let visitors = visitors.collect::<Vec<_>>();
            let hostile = (101..).zip(KINDS).map(|(number, kind)| {
                scope.spawn(move || {
                    let (mut rng, mut count) = (Rng::with_seed(seed.wrapping_add(number)), 0);
                    while Instant::now() < end {
                        count += kind.visit(steady, &mut rng, end);
                    }
                    count
                })
            });
            let hostile = hostile.collect::<Vec<_>>();
            let scraper = scope.spawn(move || innocent::scrape(steady, end));
            let machine = scope.spawn(move || innocent::machine(end));
            self.innocent.extend(innocent::ask(steady, end));
            self.scraper.extend(scraper.join().expect("a scrape does not fail"));
            self.machine.extend(machine.join().expect("an echo does not fail"));
            self.hostile += hostile
                .into_iter()
                .map(|hostile| hostile.join().expect("a hostile visit does not fail"))
                .sum::<u64>();
            self.visitors.extend(
                visitors.into_iter().map(|visitor| visitor.join().expect("a visit does not fail")),
            );
        });
    }

    fn sum(&self, count: fn(&Visitor) -> u64) -> u64 {
        self.visitors.iter().map(count).sum()
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, which is no number")))
}

#[test]
fn nothing_is_lost_and_nothing_is_left() {
    let seconds = number("UDF_SOAK_SECONDS");
    let (time, is_long) = (Duration::from_secs(seconds.unwrap_or(4)), seconds.is_some());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = number("UDF_SOAK_SEED").unwrap_or(now.as_nanos() as u64);
    println!("{} s, UDF_SOAK_SEED={seed}", time.as_secs());
    let (steady, doomed) = (Daemon::start(), Daemon::start());
    let mut seen = Seen::default();
    // After each crowd, the daemon must have the resources that it had after the first crowd.
    let mut left: Vec<Left> = Vec::new();
    for crowd in 0..CROWDS {
        seen.soak(time / CROWDS, seed.wrapping_add(1000 * u64::from(crowd)), &steady, &doomed);
        let (mut now, started) = (steady.left(), Instant::now());
        // Resources that are just being freed are gone after a while. A leak stays.
        while left.first().is_some_and(|first| !now.is_like(first)) && started.elapsed() < TIMEOUT {
            now = steady.left();
        }
        println!(
            "behind crowd {crowd}: {} threads, {} descriptors, {} KiB, at most {} KiB",
            now.threads.len(),
            now.descriptors,
            now.memory >> 10,
            now.peak >> 10
        );
        left.push(now);
    }
    println!(
        "{} connections, {} points, {} restores, {} kills and stops; {} hostile connections",
        seen.sum(|visitor| visitor.visits),
        seen.sum(|visitor| visitor.points),
        seen.sum(|visitor| visitor.restores),
        doomed.epoch() / 2,
        seen.hostile
    );
    println!("innocent connection: {}", seen.innocent);
    println!("innocent scraper: {}", seen.scraper);
    println!("the machine itself: {}", seen.machine);
    let last = left.pop().expect("at least one crowd has run");
    for before in &left {
        assert_eq!(last.threads, before.threads);
        assert_eq!(last.descriptors, before.descriptors);
    }
    let memory = left.iter().map(|before| before.memory).max().unwrap_or_default();
    let growth = if is_long { LONG_GROWTH } else { GROWTH };
    assert!(last.memory < memory + growth, "more than {} KiB", memory >> 10);
    if is_long {
        assert!(last.peak < LONG_PEAK, "hostile visitors cost {} KiB", last.peak >> 10);
        // The latency of the machine itself is not the fault of the daemon.
        let excused = seen.machine.most();
        assert!(seen.innocent.percentile(99) < LONG_WAIT, "{}", seen.innocent);
        assert!(seen.innocent.most() < LONG_WAIT + excused, "{}", seen.innocent);
        assert!(seen.scraper.most() < LONG_WAIT + excused, "{}", seen.scraper);
    }
    for daemon in [steady, doomed] {
        let mut program = daemon.program.into_inner().unwrap_or_else(PoisonError::into_inner);
        program.signal("TERM");
        assert!(program.wait().success());
    }
}
