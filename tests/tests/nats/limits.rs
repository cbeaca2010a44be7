//! Messages that are too large for the server or for a stream.

use crate::cases;
use crate::world::{World, lines};

cases! {
    a_dead_letter_as_large_as_a_message, "A raw message of the largest size that is no line protocol goes to the dead-letter subject, cut, and all other lines are handled.";
    streams_with_a_smaller_limit, "Streams take only small messages: the splitter and the workers send smaller ones, and nothing is lost.";
}

/// The largest message that a server takes if it is not told otherwise.
const LARGEST: usize = 1 << 20;

fn a_dead_letter_as_large_as_a_message() {
    let world = World::new(2);
    let mut lines = lines(2_000, 61);
    world.publish(&lines.split_off(1_000), 10);
    world.publish(&[format!("{}\n", "x".repeat(LARGEST - 1))], 1);
    world.publish(&lines, 10);
    world.drain();
    let (cut_from, letter) = world.dead_letter("Udf-Cut-From");
    assert_eq!(cut_from, Some(LARGEST.to_string()));
    assert!(letter.len() < LARGEST && letter.len() > LARGEST - 4096, "{} bytes", letter.len());
    world.assert_replayed(Some("xxx"));
}

fn streams_with_a_smaller_limit() {
    const SMALL: i32 = 4_000;
    let world = World::new(2);
    world.limit_messages("ma-in", SMALL);
    world.limit_messages("ma-out", SMALL);
    world.limit_messages("ma-dead", SMALL);
    world.publish(&lines(20_000, 62), 1_000);
    let garbage = "x".repeat(10_000);
    world.publish(&[format!("{garbage}\n")], 1);
    world.drain();
    world.assert_replayed(Some(&garbage));
    let (cut_from, letter) = world.dead_letter("Udf-Cut-From");
    assert_eq!(cut_from.as_deref(), Some("10001"));
    assert!(letter.len() < SMALL as usize && garbage.starts_with(&letter), "{letter}");
    for stream in ["ma-in", "ma-out"] {
        assert!(world.last(stream) > 20_000 * 40 / SMALL as u64, "few large messages in {stream}");
    }
}
