//! Partitions with a large state that move to another worker.

use std::time::{Duration, Instant};

use crate::cases;
use crate::world::World;

cases! {
    a_hundred_thousand_groups, "A partition with the state of 100,000 groups goes on at another worker.";
}

fn a_hundred_thousand_groups() {
    let world = World::new(1);
    let line = |number: usize| {
        let time = 1_700_000_000_000_000_000 + number as u64;
        format!("cpu,host=h{} value={}.5 {time}\n", number % 100_000, number % 977)
    };
    world.publish(&(0..100_000).map(line).collect::<Vec<_>>(), 100);
    world.drain();
    world.publish(&(100_000..100_500).map(line).collect::<Vec<_>>(), 100);
    world.drain_raw();
    let (before, begin) = (world.outputs(), Instant::now());
    let worker = world.worker("");
    world.until("the worker goes on", || world.outputs() > before);
    let within = begin.elapsed();
    println!("100,000 groups were taken over within {within:?} of the start of the worker");
    assert!(within < Duration::from_secs(60));
    worker.end();
    world.drain();
    world.assert_exact();
}
