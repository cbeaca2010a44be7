//! The output of the subscriber and its queue.

mod forms;

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing::{Span, field};

use super::form::Form;
use super::queue::Queue;
use super::subscriber::Subscriber;
use crate::agent::sync::lock;

/// Longer than any test takes.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The written lines.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(lock(&self.0).clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the lines logged by `work`, including the reports of suppressed lines at its end.
fn logged_at(level: LevelFilter, form: Form, work: impl FnOnce()) -> Vec<String> {
    let written = Written::default();
    let queue = Queue::start(written.clone(), form, Duration::ZERO).unwrap();
    tracing::subscriber::with_default(Subscriber::new(level, Arc::clone(&queue)), work);
    queue.end("", TIMEOUT);
    written.lines()
}

fn logged(work: impl FnOnce()) -> Vec<String> {
    logged_at(LevelFilter::TRACE, Form::Plain, work)
}

#[test]
fn lines_have_the_level_the_spans_and_the_fields() {
    let lines = logged(|| {
        tracing::info!("alone");
        tracing::warn!(count = 7, name = "a \"b\"", ratio = 0.5, "with fields");
        tracing::error!(debug = ?Some("x"), shown = %"y z", "{} of {}", 1, 2);
        tracing::debug!(only = true);
        let outer = tracing::error_span!(
            "connection",
            number = 1,
            task = field::Empty,
            node = field::Empty
        );
        let _outer = outer.enter();
        tracing::info!("before Init");
        Span::current().record("task", "cpu_alert").record("node", "moving_avg3");
        tracing::info!("behind it");
        let inner = tracing::info_span!("load").entered();
        tracing::trace!(file = "f", "deep");
        tracing::info!(parent: None, "apart");
        tracing::info!(parent: &outer, "above");
        drop(inner);
        tracing::info!("out again");
        let error: Box<dyn std::error::Error> = "no room".into();
        tracing::error!(error = &*error, "failed");
    });
    assert_eq!(
        lines,
        [
            " INFO alone",
            " WARN with fields count=7 name=\"a \\\"b\\\"\" ratio=0.5",
            "ERROR 1 of 2 debug=Some(\"x\") shown=y z",
            "DEBUG only=true",
            " INFO connection{number=1}: before Init",
            " INFO connection{number=1 task=\"cpu_alert\" node=\"moving_avg3\"}: behind it",
            "TRACE connection{number=1 task=\"cpu_alert\" node=\"moving_avg3\"}:load: deep file=\"f\"",
            " INFO apart",
            " INFO connection{number=1 task=\"cpu_alert\" node=\"moving_avg3\"}: above",
            " INFO connection{number=1 task=\"cpu_alert\" node=\"moving_avg3\"}: out again",
            "ERROR connection{number=1 task=\"cpu_alert\" node=\"moving_avg3\"}: failed error=no room",
        ]
    );
}

#[test]
fn levels_that_are_off_are_not_logged() {
    let lines = logged_at(LevelFilter::WARN, Form::Plain, || {
        tracing::error!("error");
        tracing::warn!("warning");
        tracing::info!("no");
        let _span = tracing::info_span!("no").entered();
        tracing::warn!("another");
    });
    assert_eq!(lines, ["ERROR error", " WARN warning", " WARN another"]);
    assert_eq!(logged_at(LevelFilter::OFF, Form::Plain, || tracing::error!("no")), [""; 0]);
}

#[test]
fn what_others_have_chosen_is_escaped_and_cut() {
    let lines = logged(|| {
        let span =
            tracing::error_span!("connection", task = "x".repeat(1 << 20), node = "a\n\x1b[0m");
        let _span = span.enter();
        for _ in 0..100 {
            span.record("node", "y".repeat(1 << 20));
        }
        tracing::info!("one\ntwo\x1b[31m");
        tracing::info!("{}", "z".repeat(1 << 20));
    });
    assert_eq!(lines.len(), 2);
    assert!(lines[0].len() < 10 << 10, "{}", lines[0].len());
    assert!(lines[0].ends_with("}: one\\ntwo\\e[31m"), "{}", lines[0]);
    assert!(lines[0].contains("xx...\" node=\"a\\n\\u{1b}[0m\" node=\"yy"), "{}", lines[0]);
    assert!(lines[1].len() < 64 << 10, "{}", lines[1].len());
    assert!(lines[1].ends_with("zz ..."));
    assert!(!lines.concat().contains(char::is_control));
}

#[test]
fn spans_go_with_their_handles_through_threads() {
    let written = Written::default();
    let queue = Queue::start(written.clone(), Form::Plain, Duration::ZERO).unwrap();
    let subscriber = Arc::new(Subscriber::new(LevelFilter::INFO, Arc::clone(&queue)));
    tracing::subscriber::with_default(Arc::clone(&subscriber), || {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let span = tracing::info_span!("work", step = field::Empty);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (span, dispatch) = (span.clone(), dispatch.clone());
                thread::spawn(move || {
                    tracing::dispatcher::with_default(&dispatch, || {
                        for _ in 0..100 {
                            let child = span.in_scope(|| tracing::info_span!("child"));
                            // The outer span stays for it.
                            child.in_scope(|| Span::current().in_scope(|| ()));
                        }
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        span.record("step", 2);
        let (child, last) = span.in_scope(|| (tracing::info_span!("child"), span.clone()));
        drop(span);
        drop(last);
        child.in_scope(|| tracing::info!("alive"));
        // Guards may be dropped in any order.
        let (one, two) =
            (tracing::info_span!("one").entered(), tracing::info_span!("two").entered());
        drop(one);
        tracing::info!("in two");
        drop(two);
        tracing::info!("in none");
        drop(child);
    });
    queue.end("", TIMEOUT);
    let expected = [" INFO work{step=2}:child: alive", " INFO one:two: in two", " INFO in none"];
    assert_eq!(written.lines(), expected);
    assert_eq!(subscriber.open_spans(), 0);
}

#[test]
fn more_lines_of_a_kind_than_a_limit_are_counted() {
    let lines = logged(|| {
        for number in 0..250 {
            tracing::warn!("peer {number}");
            tracing::debug!("detail {number}");
            tracing::info!(target: "moving_avg", "of the author {number}");
        }
        tracing::warn!("another");
    });
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count(" WARN peer"), 100);
    assert_eq!(count("DEBUG detail"), 250);
    assert_eq!(count(" INFO of the author"), 250);
    assert_eq!(
        lines[600..],
        [
            " WARN another",
            " WARN held back 150 more lines like `peer 99`: at most 100 of a kind are logged in 10s",
        ]
    );
}

#[test]
fn long_lines_of_a_kind_are_limited_to_fewer() {
    let lines = logged(|| {
        for _ in 0..100 {
            tracing::error!("{}", "x".repeat(20 << 10));
        }
    });
    assert_eq!(lines.len(), 6);
    assert!(lines[5].starts_with("ERROR held back 95 more lines like `xxx"), "{}", lines[5]);
    assert!(lines[5].len() < 300);
}

/// A stderr that is read only on request, and reports when a thread waits for it.
struct Gate {
    waits: Sender<()>,
    opened: Receiver<()>,
    is_open: bool,
    written: Written,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_open {
            self.waits.send(()).unwrap();
            self.opened.recv().unwrap();
            self.is_open = true;
        }
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn nobody_waits_while_stderr_is_not_read_and_the_lines_that_are_lost_are_counted() {
    let (written, (waits, waiting), (open, opened)) = (Written::default(), channel(), channel());
    let gate = Gate { waits, opened, is_open: false, written: written.clone() };
    let queue = Queue::start(gate, Form::Plain, Duration::ZERO).unwrap();
    queue.push("first".to_owned());
    waiting.recv().unwrap();
    for number in 0..100_000 {
        queue.push(format!("line {number}"));
    }
    // The wait is bounded.
    queue.flush(Duration::from_millis(10));
    queue.end("error: the end\n", Duration::from_millis(10));
    assert!(written.lines().is_empty());
    open.send(()).unwrap();
    queue.flush(TIMEOUT);
    queue.push("behind it".to_owned());
    queue.end("error: the end\n", TIMEOUT);
    let lines = written.lines();
    let kept = lines.len() - 4;
    assert!((10_000..50_000).contains(&kept), "{kept}");
    assert_eq!((&*lines[0], &*lines[1]), ("first", "line 0"));
    assert_eq!(lines[kept], format!("line {}", kept - 1));
    // The last words of the first end are included.
    let lost = format!(
        " WARN {} log lines were lost, because stderr was not read or not writable",
        100_001 - kept
    );
    assert_eq!(lines[kept + 1..], [&*lost, "behind it", "error: the end"]);
}

#[test]
fn a_flood_of_another_program_leaves_room_for_the_lines_of_this_process() {
    let (written, (waits, waiting), (open, opened)) = (Written::default(), channel(), channel());
    let gate = Gate { waits, opened, is_open: false, written: written.clone() };
    let queue = Queue::start(gate, Form::Plain, Duration::ZERO).unwrap();
    queue.pass_on("first");
    waiting.recv().unwrap();
    for number in 0..100_000 {
        queue.pass_on(&format!("line {number}"));
    }
    for number in 0..1_000 {
        queue.push(format!("own {number}"));
    }
    open.send(()).unwrap();
    assert!(queue.flush(TIMEOUT));
    queue.pass_on("behind it");
    queue.end("", TIMEOUT);
    let lines = written.lines();
    let kept = lines.len() - 1_003;
    assert!((5_000..25_000).contains(&kept), "{kept}");
    assert_eq!(lines[kept], format!("line {}", kept - 1));
    assert_eq!((&*lines[kept + 1], &*lines[kept + 1_000]), ("own 0", "own 999"));
    let lost = format!(
        " WARN {} log lines were lost, because stderr was not read or not writable",
        100_000 - kept
    );
    assert_eq!(lines[kept + 1_001..], [&*lost, "behind it"]);
}

/// A disk that is full for a while.
struct Disk {
    is_full: Arc<Mutex<bool>>,
    written: Written,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if *lock(&self.is_full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_that_cannot_be_written_are_counted() {
    let (written, is_full) = (Written::default(), Arc::new(Mutex::new(true)));
    let disk = Disk { is_full: Arc::clone(&is_full), written: written.clone() };
    let queue = Queue::start(disk, Form::Plain, Duration::ZERO).unwrap();
    for _ in 0..5 {
        queue.push("lost".to_owned());
    }
    queue.flush(TIMEOUT);
    *lock(&is_full) = false;
    queue.push("there is room".to_owned());
    queue.flush(TIMEOUT);
    let lost = " WARN 5 log lines were lost, because stderr was not read or not writable";
    assert_eq!(written.lines(), ["there is room", lost]);
}

#[test]
fn a_count_that_cannot_be_written_is_kept() {
    let (written, is_full) = (Written::default(), Arc::new(Mutex::new(false)));
    let disk = Disk { is_full: Arc::clone(&is_full), written: written.clone() };
    let queue = Queue::start(disk, Form::Plain, Duration::ZERO).unwrap();
    tracing::subscriber::with_default(
        Subscriber::new(LevelFilter::INFO, Arc::clone(&queue)),
        || {
            for number in 0..150 {
                tracing::warn!("peer {number}");
            }
        },
    );
    queue.flush(TIMEOUT);
    *lock(&is_full) = true;
    queue.end("", TIMEOUT);
    assert_eq!(written.lines().len(), 100);
    *lock(&is_full) = false;
    queue.end("error: the end", TIMEOUT);
    let held =
        " WARN held back 50 more lines like `peer 99`: at most 100 of a kind are logged in 10s";
    assert_eq!(written.lines()[100..], [held, "error: the end"]);
}

/// A stderr that accepts one line per permit.
struct Turnstile {
    permits: Receiver<()>,
    written: Written,
}

impl Write for Turnstile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.permits.recv().map_err(io::Error::other)?;
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_command_waits_once_for_a_stderr_that_nobody_reads() {
    let (written, (permit, permits)) = (Written::default(), channel());
    let timeout = Duration::from_millis(200);
    let queue = Queue::start(Turnstile { permits, written: written.clone() }, Form::Plain, timeout)
        .unwrap();
    let begun = Instant::now();
    let lines = 1000;
    for number in 0..lines {
        queue.push(format!("line {number}"));
    }
    // Waiting for each line would take 200 seconds.
    assert!(begun.elapsed() < TIMEOUT, "{:?}", begun.elapsed());
    (0..lines).for_each(|_| permit.send(()).unwrap());
    assert!(queue.flush(TIMEOUT));
    assert_eq!(written.lines().len(), lines);
    // The reader is back, so the next line is waited for.
    let begun = Instant::now();
    queue.push("unread again".to_owned());
    assert!(begun.elapsed() >= timeout, "{:?}", begun.elapsed());
    permit.send(()).unwrap();
    assert!(queue.flush(TIMEOUT));
}
