//! The double itself, with `cat` and short scripts in the place of a UDF: it loses what Telegraf
//! loses.

use std::time::Duration;

use udf_tests::cases::PIPE;
use udf_tests::program::Transport;

use crate::cases;
use crate::double::{Asked, Stopped, Telegraf, wait_until};
use crate::pipes::Level;

cases! {
    output_that_nobody_has_read, PIPE, "Without the kit: a program that exits loses all output that Telegraf has not read.";
    a_program_that_waits, PIPE, "Without the kit: a program that waits until its output is read loses nothing.";
    metrics_of_a_program_that_is_down, PIPE, "Without the kit: every metric between an exit and the next start is dropped.";
    a_program_that_ignores_the_end, PIPE, "Without the kit: a program that ignores the end of its input gets SIGTERM after 5 s, and SIGKILL after 5 s more.";
    a_line_that_is_too_long, PIPE, "Without the kit: Telegraf reads no line of the log after one of 64 KiB.";
    levels_of_a_log, PIPE, "Without the kit: lines of the log have the level of their prefix.";
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("cpu value={number} {number}"))
}

fn output_that_nobody_has_read(_: Transport) {
    let mut telegraf = Telegraf::start(&["cat"]);
    telegraf.output().allow(0);
    telegraf.write_all(numbered(1000));
    telegraf.begin_stop();
    telegraf.wait_for_exit(1);
    telegraf.output().release();
    assert!(telegraf.stop().lines().is_empty());
}

fn a_program_that_waits(_: Transport) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("read");
    let script = format!("cat; while [ ! -e {} ]; do sleep 0.01; done", file.display());
    let mut telegraf = Telegraf::start(&shell(&script));
    let bytes: usize = numbered(1000).map(|line| line.len() + 1).sum();
    telegraf.write_all(numbered(1000));
    telegraf.begin_stop();
    wait_until("all is read", || telegraf.output().so_far().len() == bytes);
    std::fs::write(&file, "").expect("the directory is writable");
    assert_eq!(telegraf.stop().lines().len(), 1000);
}

fn metrics_of_a_program_that_is_down(_: Transport) {
    let telegraf = Telegraf::start(&shell("read -r line"));
    telegraf.write_all(["cpu value=1 1"]);
    telegraf.wait_for_exit(1);
    let delivered = numbered(100).filter(|line| telegraf.write(line)).count();
    assert_eq!((delivered, telegraf.starts()), (0, 1));
    assert_eq!(telegraf.stop().dropped, 100);

    let telegraf = Telegraf::start_with(&shell("read -r line"), Duration::ZERO);
    for count in 1..4 {
        wait_until("the program is up", || telegraf.starts() == count);
        telegraf.write_all(["cpu value=1 1"]);
        telegraf.wait_for_exit(count);
    }
    let reloaded = telegraf.reload();
    assert_eq!(reloaded.starts(), reloaded.exits() + 1);
    reloaded.stop();
}

fn a_program_that_ignores_the_end(_: Transport) {
    let after = |script: &str| -> Stopped {
        let telegraf = Telegraf::start(&shell(script));
        telegraf.wait_for_lines(1);
        telegraf.stop()
    };
    let stopped = after("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done");
    assert_eq!((stopped.after, stopped.exits[0].code()), (Asked::Term, Some(7)));
    let stopped = after("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    assert_eq!((stopped.after, stopped.signal()), (Asked::Kill, Some(9)));
}

fn a_line_that_is_too_long(_: Transport) {
    let log = |bytes: usize| {
        let script =
            format!("head -c {bytes} /dev/zero | tr '\\0' x >&2; echo >&2; echo b >&2; cat");
        Telegraf::start(&shell(&script))
    };
    let telegraf = log((64 << 10) - 1);
    telegraf.wait_for_log(Level::Unknown, "b");
    assert!(!telegraf.gave_up());
    telegraf.stop();
    let telegraf = log(64 << 10);
    telegraf.write_all(["ready"]);
    telegraf.wait_for_lines(1);
    wait_until("it gives up", || telegraf.gave_up());
    assert!(telegraf.stop().log.is_empty());
}

fn levels_of_a_log(_: Transport) {
    let script = "for level in E W I D T X; do echo \"$level! text\" >&2; done; cat";
    let telegraf = Telegraf::start(&shell(script));
    telegraf.wait_for_log(Level::Unknown, "X! text");
    use Level::{Debug, Error, Info, Trace, Unknown, Warn};
    let stopped = telegraf.stop();
    let levels: Vec<_> = stopped.log.iter().map(|line| line.level).collect();
    assert_eq!(levels, [Error, Warn, Info, Debug, Trace, Unknown]);
    assert_eq!(stopped.log[0].text, "text");
}
