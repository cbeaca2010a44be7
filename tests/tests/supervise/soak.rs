//! Many points under random kills: the output is that of a run without, and nothing is left.
//!
//! The test plays 20,000 points, or as many as `UDF_SOAK_POINTS` says. `UDF_SOAK_SEED` repeats the
//! random numbers:
//!
//! ```sh
//! UDF_SOAK_POINTS=500000 cargo test --release -p udf-tests --test supervise soak -- --nocapture
//! ```

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, which is no number")))
}

fn soak(on: Transport) {
    let count = number("UDF_SOAK_POINTS").unwrap_or(20_000).cast_signed();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = number("UDF_SOAK_SEED").unwrap_or(now.as_nanos() as u64);
    let mut rng = Rng::with_seed(seed);
    let udf = Udf::Example("moving_avg");
    let flags = ["--restarts", "1000000", "--checkpoint-bytes", "1048576"];
    let mut front = Front::start(&udf, on, &flags);
    front.kapacitor.send(&[frame(init_of(&udf)), points(0..1)].concat());
    let mut found = front.kapacitor.take(2);
    let pid = front.pid();
    let (threads_before, descriptors_before) = (threads(pid).len(), descriptors(pid));
    let (done, kills) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    let mut input = front.kapacitor.take_input();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // The pause is the randomness of the place; nothing waits for it.
                thread::sleep(Duration::from_micros(rng.u64(1000..300_000)));
                for worker in children(pid) {
                    send(worker, rustix::process::Signal::KILL);
                    kills.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        scope.spawn(|| {
            for begin in (1..count).step_by(100) {
                input.write_all(&points(begin..count.min(begin + 100))).expect("the front reads");
            }
        });
        found.extend(front.kapacitor.take(count as usize - 1));
        done.store(true, Ordering::Relaxed);
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
