//! Workers that die, hang, come back, join and leave.

use std::time::{Duration, Instant};

use crate::cases;
use crate::world::{World, lines};

cases! {
    a_run_without_faults, "The lines of all partitions are those of a replay.";
    killed_workers, "Workers that are killed again and again: nothing is lost, nothing is doubled, the order stays.";
    killed_splitters, "Splitters that are killed again and again: nothing is lost, nothing is doubled, the order stays.";
    a_paused_worker_that_comes_back, "A worker that was stopped, and comes back when another one has its partitions, writes nothing.";
    workers_that_join_and_leave, "Three workers and eight partitions, and one of them joins or leaves every second: nothing is lost, nothing is doubled.";
    an_end_by_a_signal, "SIGTERM: a worker finishes its chunk, stores its state, gives its partitions back, and ends with status 0.";
}

fn a_run_without_faults() {
    let world = World::new(3);
    world.publish(&lines(20_000, 1), 50);
    world.drain();
    world.assert_exact();
}

fn killed_workers() {
    let world = World::new(4);
    world.publish(&lines(5_000, 2), 20);
    let splitter = world.split("");
    for _ in 0..8 {
        let worker = world.worker("--snapshot-every 100ms");
        world.grows(20);
        worker.kill();
    }
    splitter.end();
    world.drain();
    world.assert_exact();
}

fn killed_splitters() {
    let world = World::new(4);
    world.publish(&lines(5_000, 3), 20);
    for _ in 0..8 {
        let splitter = world.split("");
        world.feed("ma-in", 10);
        splitter.kill();
    }
    world.drain();
    world.assert_exact();
}

fn a_paused_worker_that_comes_back() {
    let world = World::new(2);
    world.publish(&lines(20_000, 5), 20);
    let splitter = world.split("");
    let paused = world.worker("");
    world.grows(5);
    paused.pause();
    // It is taken for dead after 5 seconds.
    let other = world.worker("");
    let name = other.name(&world);
    world.until("the other worker takes over", || {
        world.owners().iter().all(|owner| owner.as_ref() == Some(&name))
    });
    world.publish(&lines(20_000, 6), 20);
    world.grows(20);
    paused.resume();
    world.grows(20);
    other.kill();
    paused.end();
    splitter.end();
    world.drain();
    world.assert_exact();
}

fn workers_that_join_and_leave() {
    let world = World::new(8);
    world.publish(&lines(5_000, 7), 20);
    let splitter = world.split("");
    let mut workers: Vec<_> = (0..3).map(|_| world.worker("--snapshot-every 300ms")).collect();
    let mut random = fastrand::Rng::with_seed(7);
    let (begin, length) = (Instant::now(), Duration::from_secs(rounds()));
    let mut next = begin + Duration::from_secs(1);
    let mut batch = 0;
    while begin.elapsed() < length {
        batch += 1;
        world.publish(&lines(200, 1_000_000 + batch), 20);
        if Instant::now() < next {
            continue;
        }
        next += Duration::from_secs(1);
        let leaves = workers.len() > 2 && (workers.len() > 4 || random.bool());
        if leaves {
            let worker = workers.swap_remove(random.usize(0..workers.len()));
            if random.bool() { worker.kill() } else { worker.end() }
        } else {
            workers.push(world.worker("--snapshot-every 300ms"));
        }
    }
    for worker in workers {
        worker.end();
    }
    splitter.end();
    world.drain();
    world.assert_exact();
}

/// The seconds for which workers join and leave.
fn rounds() -> u64 {
    std::env::var("UDF_TEST_NATS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

fn an_end_by_a_signal() {
    let world = World::new(2);
    world.publish(&lines(20_000, 8), 20);
    let splitter = world.split("");
    let worker = world.worker("");
    world.grows(10);
    worker.end();
    assert_eq!(world.owners(), [None, None]);
    splitter.end();
    world.drain();
    world.assert_exact();
}
