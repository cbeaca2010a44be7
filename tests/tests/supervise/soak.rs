//! Many points under random kills: the output is that of a run without, and nothing is left.
//!
//! The test plays 40,000 points, or as many as `UDF_SOAK_POINTS` says. `UDF_SOAK_SEED` repeats the
//! random numbers:
//!
//! ```sh
//! UDF_SOAK_POINTS=500000 cargo test --release -p udf-tests --test supervise soak -- --nocapture
//! ```

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use udf_tests::process::{children, descriptors, memory, peak_memory, threads};
use udf_tests::program::{Transport, frame};

use crate::front::{Front, Udf, is_gone, send, wait_until};
use crate::plan::{assert_same, direct, init_of, points};

/// The maximum of the resident memory of a front whose log is at most 8 MiB: two logs, the buffers
/// of the connection, and the program itself.
const PEAK: u64 = 64 << 20;

/// The maximum number of points that are not answered.
const IN_FLIGHT: u64 = 2000;

/// After this many outputs, a checkpoint has ended the stretch of the last kill: three deaths in the
/// same stretch would start the search for the point that kills.
const STRETCH: u64 = 3 * IN_FLIGHT;

fn last_of(count: i64) -> u64 {
    count.cast_unsigned() - 1
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, which is no number")))
}

fn soak(on: Transport) {
    let count = number("UDF_SOAK_POINTS").unwrap_or(40_000).cast_signed();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = number("UDF_SOAK_SEED").unwrap_or(now.as_nanos() as u64);
    let mut rng = Rng::with_seed(seed);
    let udf = Udf::Example("moving_avg");
    let flags = ["--restart-window", "1ms", "--checkpoint-bytes", "65536"];
    let mut front = Front::start(&udf, on, &flags);
    front.kapacitor.send(&[frame(init_of(&udf)), points(0..1)].concat());
    let mut found = front.kapacitor.take(2);
    let pid = front.pid();
    let (threads_before, descriptors_before) = (threads(pid).len(), descriptors(pid));
    let (seen, kills) = (AtomicU64::new(0), AtomicU64::new(0));
    let begun = Instant::now();
    let mut input = front.kapacitor.take_input();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = 0;
            while seen.load(Ordering::Relaxed) < last_of(count) {
                thread::sleep(Duration::from_micros(rng.u64(1000..200_000)));
                let now = seen.load(Ordering::Relaxed);
                if now < last + STRETCH {
                    continue;
                }
                last = now;
                // One in three deaths is followed by that of the new worker, during its start.
                for _ in 0..if rng.u8(..3) == 0 { 2 } else { 1 } {
                    for worker in children(pid) {
                        send(worker, rustix::process::Signal::KILL);
                        kills.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(Duration::from_micros(rng.u64(1000..50_000)));
                }
            }
        });
        scope.spawn(|| {
            for begin in (1..count).step_by(100) {
                while begin.cast_unsigned() > seen.load(Ordering::Relaxed) + IN_FLIGHT {
                    thread::sleep(Duration::from_millis(1));
                }
                input.write_all(&points(begin..count.min(begin + 100))).expect("the front reads");
            }
        });
        for _ in 1..count {
            found.push(front.kapacitor.next());
            seen.fetch_add(1, Ordering::Relaxed);
        }
    });
    let peak = peak_memory(pid);
    println!(
        "{on:?}: {count} points, {} kills in {:.1} s, UDF_SOAK_SEED={seed}; the front: {} KiB, at most {} KiB",
        kills.load(Ordering::Relaxed),
        begun.elapsed().as_secs_f64(),
        memory(pid) >> 10,
        peak >> 10
    );
    assert!(kills.load(Ordering::Relaxed) > 0);
    assert!(peak < PEAK, "{peak} bytes of memory");
    // A last point shows that the last of the workers has started.
    input.write_all(&points(count..count + 1)).expect("the front reads");
    found.extend(front.kapacitor.take(1));
    wait_until("threads and descriptors are as before", || {
        (threads(pid).len(), descriptors(pid)) == (threads_before, descriptors_before)
    });
    let worker = front.worker();
    drop(input);
    found.extend(front.kapacitor.rest());
    front.ends(0);
    assert!(is_gone(worker));
    assert_same(&found, &direct(&udf, &[frame(init_of(&udf)), points(0..count + 1)].concat()));
}

#[test]
fn nothing_is_lost_over_pipes() {
    soak(Transport::Pipe);
}

#[test]
fn nothing_is_lost_over_a_socket() {
    soak(Transport::Socket);
}
