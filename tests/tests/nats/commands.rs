//! The commands, as operators use them.

use serde_json::Value;

use crate::cases;
use crate::world::{World, lines};

cases! {
    a_second_setup, "A second setup changes nothing, and one that contradicts the first is refused and changes nothing.";
    a_status, "The status shows the owners, the positions and the lag, as text and as JSON.";
    another_udf, "A worker whose UDF has another name than that of the state is refused.";
    another_grouping, "A worker that groups in another way than the splitter is refused.";
}

const SETUP: &str = "setup --name ma --input telegraf.raw --output derived.ma";

fn a_second_setup() {
    let world = World::new(2);
    let run = |args: &str| {
        let output = world.command(args).output().expect("udf runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, note) = run(&format!("{SETUP} --partitions 2"));
    assert_eq!(code, Some(0), "{note}");
    assert!(
        out.lines().count() >= 6 && out.lines().all(|line| line.starts_with("unchanged ")),
        "{out}"
    );
    assert!(note.contains("power loss"), "{note}");
    for (args, named) in [
        ("--partitions 3", "has 2 partitions, not 3"),
        ("--partitions 2 --retention 1h", "--max-age"),
        ("--partitions 2 --max-bytes 1048576", "--max-bytes"),
    ] {
        let (code, out, error) = run(&format!("{SETUP} {args}"));
        assert_eq!((code, &out[..]), (Some(1), ""), "{error}");
        assert!(error.contains(named) && error.contains("nothing was changed"), "{error}");
    }
    let (code, out, _) = run(&format!("{SETUP} --partitions 2 --retention 48h"));
    assert_eq!(code, Some(0));
    assert!(out.contains("changed    stream ma-in"), "{out}");
    let (code, _, error) = run(&format!("{SETUP} --partitions 2 --replicas 3"));
    assert_eq!(code, Some(1));
    assert!(error.contains("--replicas"), "{error}");
    world.move_stream("ma-raw", "telegraf");
    let (code, _, error) = run(&format!("{SETUP} --partitions 2"));
    assert_eq!(code, Some(1));
    let expected = "`ma` reads raw lines from the stream ma-raw, and `telegraf.raw` is in the stream telegraf now";
    assert!(error.contains(expected) && error.contains("nothing was changed"), "{error}");
}

fn a_status() {
    let world = World::new(2);
    let status = || -> Value {
        let output = world.command("status --name ma --format json").output().expect("udf runs");
        serde_json::from_slice(&output.stdout).expect("the status is JSON")
    };
    world.publish(&lines(2_000, 51), 10);
    let before = status();
    assert_eq!(before["raw"]["lag"], 200);
    assert_eq!(before["partitions"][0]["owner"], Value::Null);
    let (splitter, worker) = (world.split(""), world.worker("--snapshot-every 100ms"));
    let name = worker.name(&world);
    let mut after = Value::Null;
    world.until("all is handled", || {
        after = status();
        let partitions = after["partitions"].as_array().expect("a list");
        after["raw"]["lag"] == 0
            && partitions.iter().all(|partition| {
                partition["lag"] == 0
                    && partition["owner"] == name[..]
                    && partition["is_owner_alive"] == true
                    && partition["snapshot"]["bytes"].as_u64() > Some(0)
            })
    });
    assert_eq!(after["workers"].as_array().map(Vec::len), Some(2), "{after:#}");
    let text = world.command("status --name ma").output().expect("udf runs").stdout;
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("PARTITION") && text.contains(&name), "{text}");
    worker.end();
    splitter.end();
}

fn another_udf() {
    let world = World::new(2);
    world.publish(&lines(100, 52), 10);
    world.drain();
    let mirror = udf_tests::program::example("mirror").display().to_string();
    let output = world.command(&format!("run --name ma --group-by host -- {mirror}")).output();
    let output = output.expect("udf runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("`moving_avg`") && error.contains("`mirror`"), "{error}");
}

fn another_grouping() {
    let world = World::new(2);
    world.drain_raw();
    let args = "run --name ma --group-by cpu -- /bin/true";
    let output = world.command(args).output().expect("udf runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("--group-by 'host'") && error.contains("--group-by 'cpu'"), "{error}");
}
