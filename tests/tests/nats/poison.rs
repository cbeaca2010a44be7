//! Lines that kill the UDF.

use crate::cases;
use crate::world::{World, lines};

cases! {
    a_line_that_kills_the_udf, "A line that kills the UDF each time goes to the dead-letter subject, and all other lines are handled.";
    a_line_that_is_not_valid, "A line that is not valid goes to the dead-letter subject, and all other lines are handled.";
    a_udf_that_refuses_its_options, "A worker whose UDF refuses its options names them, and ends with status 2.";
}

fn a_line_that_kills_the_udf() {
    let world = World::new(2).runs(&[env!("CARGO_BIN_EXE_troubled")], "-o kind=panic");
    let mut lines = lines(4_000, 31);
    let poison = lines[2_000].replace("value=", "trouble=1,value=");
    lines.insert(2_000, poison.clone());
    world.publish(&lines, 10);
    world.drain();
    let dead = world.dead();
    assert_eq!(dead, [poison]);
    world.assert_replayed(Some("trouble=1"));
}

fn a_line_that_is_not_valid() {
    let world = World::new(2);
    let mut lines = lines(4_000, 32);
    lines.insert(1_000, "cpu,host=h1 value=\n".to_owned());
    world.publish(&lines, 10);
    world.drain();
    assert_eq!(world.dead(), ["cpu,host=h1 value=\n"]);
    world.assert_replayed(Some("value=\n"));
}

fn a_udf_that_refuses_its_options() {
    let moving_avg = udf_tests::program::example("moving_avg").display().to_string();
    let world = World::new(2).runs(&[&moving_avg], "-o field=value -o sise=10");
    let mut worker = world.worker("");
    assert_eq!(worker.wait().code(), Some(2), "{}", worker.text());
    assert!(worker.text().contains("sise"), "{}", worker.text());
}
