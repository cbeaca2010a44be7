//! Lines and options that a UDF does not take, and a UDF that does not start.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use udf_tests::metrics::{scrape, wait_for};
use udf_tests::process::children;

use crate::cases;
use crate::world::{World, lines};

cases! {
    a_line_that_kills_the_udf, "A line that kills the UDF each time goes to the dead-letter subject, and all other lines are handled.";
    a_line_that_is_not_valid, "A line that is not valid goes to the dead-letter subject, and all other lines are handled.";
    a_partition_that_stops, "A partition that must stop at a line that kills the UDF: the others go on, and the metrics and the status name it.";
    a_program_that_is_missing, "A UDF whose program is missing for a while is started until it runs; the metrics and the status say what fails, and nothing is lost.";
    a_udf_that_emits_from_other_threads, "Output from other threads is refused, with the flag that allows it.";
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

fn a_partition_that_stops() {
    let world = World::new(2).runs(&[env!("CARGO_BIN_EXE_troubled")], "-o kind=panic");
    let mut lines = lines(100, 33);
    lines[50] = lines[50].replace("value=", "trouble=1,value=");
    world.publish(&lines, 10);
    world.drain_raw();
    let worker = world.worker("--poison stop --metrics 0");
    let metrics = worker.metrics(&world);
    let mut stopped = None;
    world.until("a partition has stopped", || {
        let said = scrape(metrics);
        let has = |line: String| said.lines().any(|found| found == line);
        stopped = (0..2)
            .find(|partition| has(format!("udf_nats_stops_total{{partition=\"{partition}\"}} 1")));
        stopped.is_some()
    });
    let stopped = stopped.expect("one has stopped");
    wait_for(metrics, &format!("udf_nats_pending_messages{{partition=\"{}\"}} 0", 1 - stopped));
    let status = world.command("status --name ma").output().expect("udf runs").stdout;
    let status = String::from_utf8(status).expect("text");
    let row = status.lines().find(|line| line.starts_with(&stopped.to_string())).expect("a row");
    assert!(row.contains("stopped: line") && row.contains("--poison dead-letter"), "{status}");
    worker.end();
    world.drain();
    world.assert_replayed(Some("trouble=1"));
}

fn a_program_that_is_missing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (program, away) = (directory.path().join("moving_avg"), directory.path().join("away"));
    fs::copy(udf_tests::program::example("moving_avg"), &program).expect("the program is copied");
    let world = World::new(1).runs(&[program.to_str().expect("text")], "-o field=value -o size=10");
    let worker = world.worker("--metrics 0");
    let metrics = worker.metrics(&world);
    world.publish(&lines(100, 35), 10);
    world.drain_raw();
    wait_for(metrics, "udf_nats_lines_in_total{partition=\"0\"} 100");
    let says = |retrying| format!("udf_nats_retrying{{partition=\"0\"}} {retrying}");
    wait_for(metrics, &says(0));
    fs::rename(&program, &away).expect("the program can be moved");
    for child in children(worker.id()) {
        let child = Pid::from_raw(i32::try_from(child).expect("it is a number of a process"));
        kill_process(child.expect("it is not 0"), Signal::KILL)
            .expect("it is a child of the worker");
    }
    world.publish(&lines(100, 36), 10);
    world.drain_raw();
    wait_for(metrics, &says(1));
    let mut status = String::new();
    world.until("the status says what fails", || {
        let output = world.command("status --name ma").output().expect("udf runs").stdout;
        status = String::from_utf8(output).expect("text");
        status.contains("trying again: the UDF has ended")
    });
    assert!(status.contains("No such file"), "{status}");
    fs::rename(&away, &program).expect("the program can be moved");
    wait_for(metrics, &says(0));
    worker.end();
    world.drain();
    world.assert_replayed(None);
}

fn a_udf_that_emits_from_other_threads() {
    let world =
        World::new(1).runs(&[env!("CARGO_BIN_EXE_troubled")], "-o kind=threadFlood -o amount=3");
    let mut lines = lines(10, 34);
    lines[5] = lines[5].replace("value=", "trouble=1,value=");
    world.publish(&lines, 10);
    world.drain_raw();
    let mut worker = world.worker("--until-end");
    assert_eq!(worker.wait().code(), Some(2), "{}", worker.text());
    assert!(worker.text().contains("--allow-remote"), "{}", worker.text());
    world.succeeds(world.worker("--until-end --allow-remote"));
}

fn a_udf_that_refuses_its_options() {
    let moving_avg = udf_tests::program::example("moving_avg").display().to_string();
    let world = World::new(2).runs(&[&moving_avg], "-o field=value -o sise=10");
    let mut worker = world.worker("");
    assert_eq!(worker.wait().code(), Some(2), "{}", worker.text());
    assert!(worker.text().contains("sise"), "{}", worker.text());
}
