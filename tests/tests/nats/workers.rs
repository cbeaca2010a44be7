//! Workers that die, hang, come back, join and leave.

use std::time::{Duration, Instant};

use udf_tests::metrics::scrape;

use crate::cases;
use crate::world::{World, lines};

cases! {
    a_run_without_faults, "The lines of all partitions are those of a replay.";
    killed_workers, "Workers that are killed again and again: nothing is lost, nothing is doubled, the order stays.";
    killed_splitters, "Splitters that are killed again and again: nothing is lost, nothing is doubled, the order stays.";
    a_paused_worker_that_comes_back, "A worker that was stopped, and comes back when another one has its partitions, writes nothing.";
    workers_that_join_and_leave, "Three workers and eight partitions, and one of them joins or leaves every second: nothing is lost, nothing is doubled.";
    splitters_that_stand_by, "Of two splitters, one stands by, and goes on when the other one is killed: nothing is lost, nothing is doubled.";
    ticks_of_killed_workers, "Output that comes with ticks is neither lost nor doubled by workers that are killed.";
    a_slow_end, "A worker that takes long to end keeps its partitions until then.";
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

fn splitters_that_stand_by() {
    let world = World::new(2);
    world.publish(&lines(5_000, 9), 20);
    let worker = world.worker("");
    let (first, second) = (world.split(""), world.split(""));
    world.grows(10);
    let owner = world.splitter();
    let (owner, other) =
        if owner == Some(first.name(&world)) { (first, second) } else { (second, first) };
    let other_name = Some(other.name(&world));
    owner.kill();
    world.until("the other one splits", || world.splitter() == other_name);
    world.grows(10);
    other.end();
    worker.end();
    world.drain();
    world.assert_exact();
}

fn a_slow_end() {
    // The UDF works for longer than a worker may be silent before it is taken for dead.
    let slow = [env!("CARGO_BIN_EXE_troubled")];
    let world = World::new(1).runs(&slow, "-o kind=work -o amount=7000");
    let mut lines = lines(10, 10);
    lines[5] = lines[5].replace("value=", "trouble=1,value=");
    world.publish(&lines, 10);
    world.drain_raw();
    let worker = world.worker("--metrics 0 --shutdown-timeout 60s");
    let metrics = worker.metrics(&world);
    world.until("the lines are read", || {
        let (said, name) = (scrape(metrics), "udf_nats_read_position{partition=\"0\"} ");
        let position = said.lines().find_map(|line| line.strip_prefix(name));
        position.is_some_and(|position| position != "0")
    });
    worker.ask_to_end();
    let other = world.worker("");
    world.succeeds(worker);
    let name = other.name(&world);
    world.until("the other one goes on", || world.owners() == [Some(name.clone())]);
    assert!(!other.text().contains("has died"), "{}", other.text());
    other.end();
    assert_eq!(world.lines("ma-out", "derived.ma.0").len(), lines.len());
}

fn ticks_of_killed_workers() {
    let world = World::new(2).runs(&[env!("CARGO_BIN_EXE_ticking")], "");
    let splitter = world.split("");
    for _ in 0..3 {
        let worker = world.worker("--snapshot-every 200ms");
        world.grows(6);
        worker.kill();
    }
    let worker = world.worker("");
    let raw = world.lines("ma-raw", "telegraf.raw").len();
    let number = |line: &str, field: &str| -> usize {
        let value = line.split(field).nth(1).and_then(|rest| rest.split('i').next());
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {field} in {line}"))
    };
    world.until("all points are counted", || {
        let mut points = 0;
        for partition in 0..2 {
            let lines = world.lines("ma-out", &format!("derived.ma.{partition}"));
            let numbers = lines.iter().map(|line| number(line, "number="));
            assert!(numbers.eq(1..=lines.len()), "a tick is lost or doubled: {lines:?}");
            points += lines.iter().map(|line| number(line, "points=")).sum::<usize>();
        }
        assert!(points <= raw, "{points} points of {raw} are counted");
        points == raw
    });
    worker.end();
    splitter.end();
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
