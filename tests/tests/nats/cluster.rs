//! A cluster of three servers.

use crate::cases;
use crate::server::Servers;
use crate::world::{World, lines};

cases! {
    killed_leaders, "The leader of a stream with three replicas is killed, and comes back, one stream after the other: nothing is lost, nothing is doubled.";
}

fn killed_leaders() {
    let mut world = World::over(Servers::three(), 3, 3);
    world.publish(&lines(5_000, 21), 10);
    let (splitter, worker) = (world.split(""), world.worker("--snapshot-every 200ms"));
    for stream in ["ma-out", "ma-in", "KV_udf-ma", "ma-out"] {
        world.grows(20);
        let mut leader = None;
        world.until("the stream has a leader", || {
            leader = world.leader(stream);
            leader.is_some()
        });
        let leader = leader.expect("it was found");
        world.servers.named(&leader).kill();
        world.grows(20);
        world.servers.named(&leader).start();
        world.until("all copies are current", || world.is_whole(stream));
    }
    worker.end();
    splitter.end();
    world.drain();
    world.assert_exact();
}
