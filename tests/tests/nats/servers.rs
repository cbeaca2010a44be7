//! A server that dies or hangs.

use std::thread;
use std::time::Duration;

use crate::cases;
use crate::world::{World, lines};

cases! {
    a_killed_server, "The server is killed again and again, and starts again: nothing is lost, nothing is doubled, without a restart of a worker.";
    a_killed_server_and_killed_workers, "The server and the workers are killed at the same time.";
    a_server_that_hangs, "The server is stopped while messages wait for their acknowledgement, for longer than a request waits.";
    a_server_that_is_late, "Workers and splitters start before the server, and wait for it.";
    retention_that_passes_a_position, "Lines are removed before they are handled: the partition stops, and reports how many messages are lost.";
}

fn a_killed_server() {
    let mut world = World::new(3);
    world.publish(&lines(5_000, 11), 10);
    let (splitter, worker) = (world.split(""), world.worker("--snapshot-every 200ms"));
    for _ in 0..4 {
        world.grows(20);
        world.servers.servers[0].kill();
        world.servers.servers[0].start();
    }
    worker.end();
    splitter.end();
    world.drain();
    world.assert_exact();
}

fn a_killed_server_and_killed_workers() {
    let mut world = World::new(3);
    world.publish(&lines(5_000, 12), 10);
    for _ in 0..4 {
        let (splitter, worker) = (world.split(""), world.worker("--snapshot-every 200ms"));
        world.grows(20);
        world.servers.servers[0].kill();
        worker.kill();
        splitter.kill();
        world.servers.servers[0].start();
    }
    world.drain();
    world.assert_exact();
}

fn a_server_that_hangs() {
    let world = World::new(2);
    world.publish(&lines(5_000, 13), 10);
    let args = "--timeout 1s";
    let (splitter, worker) = (world.split(args), world.worker(args));
    for pause in [2, 4] {
        world.grows(20);
        world.servers.servers[0].pause();
        thread::sleep(Duration::from_secs(pause));
        world.servers.servers[0].resume();
    }
    worker.end();
    splitter.end();
    world.drain();
    world.assert_exact();
}

fn a_server_that_is_late() {
    let mut world = World::new(2);
    world.publish(&lines(5_000, 14), 10);
    world.servers.servers[0].kill();
    let (splitter, worker) = (world.split(""), world.worker(""));
    for process in [&splitter, &worker] {
        world.until("it reports that there is no server", || {
            process.text().contains("trying again")
        });
    }
    world.servers.servers[0].start();
    world.grows(5);
    worker.end();
    splitter.end();
    world.drain();
    world.assert_exact();
}

fn retention_that_passes_a_position() {
    let world = World::new(1);
    world.publish(&lines(5_000, 15), 10);
    world.drain();
    let splitter = world.split("");
    world.feed("ma-in", 5);
    splitter.end();
    world.purge("ma-in", world.last("ma-in"));
    let mut worker = world.worker("--until-end");
    assert_eq!(worker.wait().code(), Some(1), "{}", worker.text());
    let text = worker.text();
    assert!(text.contains("messages are lost") && text.contains("--skip-lost"), "{text}");
    let before = world.outputs();
    world.succeeds(world.worker("--until-end --skip-lost"));
    assert!(world.outputs() > before);
}
