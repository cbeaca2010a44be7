//! The test kit: its results, and its messages about failures.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod panics;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use panics::panic_of;
use udf_runtime::state::Groups;
use udf_runtime::testing::{self, WholeBatch};
use udf_runtime::{
    Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Handler, Init, Point, Points, Remote, Result,
    Stream, StreamUdf, Task, ValueType, Verdict, udf,
};

/// The time limit for output that does arrive.
const SOON: Duration = Duration::from_secs(20);

/// Sums up a field, for each group.
#[udf(wants = stream, provides = stream, on_missing = fail)]
struct Total {
    #[option]
    field: String,
    #[state]
    totals: Groups<f64>,
}

impl StreamUdf for Total {
    fn init(&mut self, task: &Task<Stream>) -> Result<()> {
        match (task.task_id(), task.node_id()) {
            ("forbidden", node) => Err(format!("not in the node {node}").into()),
            _ => Ok(()),
        }
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let total = self.totals.of(point);
        *total += point.number(&self.field)?;
        Ok(out.edit(point).field("total", *total).send()?)
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        if self.field == "fails_at_the_end" {
            return Err("nothing good lasts".into());
        }
        Ok(out.build("groups").time(99).field("count", self.totals.len() as i64).send()?)
    }
}

fn total() -> testing::Setup<udf_runtime::UdfHandler<Total>> {
    testing::udf::<Total>().option("field=bytes")
}

#[test]
fn text_goes_in_and_comes_out_for_each_group() {
    let mut task = total().group_by("host").start();
    task.feed(
        "net,nic=eth0,host=a bytes=1,ok=true 10

         # A comment.
         net,host=b,nic=eth0 bytes=5i",
    );
    task.emits(
        "net,host=a,nic=eth0 total=1,ok=true,bytes=1 10
         net,nic=eth0,host=b bytes=5i,total=5 10",
    );
    // A line without a time has the time of the previous line. An expected line without a time
    // matches any.
    task.feed("net,host=a bytes=2");
    task.emits("net,host=a bytes=2,total=3");
    task.emits_nothing();
    task.feed("net,z=1,host=a bytes=-3,a=1i 20");
    assert_eq!(task.lines(), ["net,host=a,z=1 a=1i,bytes=-3.0,total=0.0 20"]);
    task.feed("net,host=a bytes=1 30");
    let output = task.output();
    let point = output[0].as_point();
    assert_eq!(
        (point.number("total"), point.group(), point.database()),
        (Ok(1.0), "host=a", "telegraf")
    );
    task.end();
    task.emits("groups count=2i 99");
}

#[test]
fn other_points_than_expected_are_shown_beside_them() {
    let mut task = total().start();
    let (text, line) = panic_of(|| {
        task.feed("net bytes=1 1\nnet bytes=2 2\nnet bytes=2 3");
        task.emits("net bytes=1,total=1 1\nnet bytes=2,total=3i 2"); // 1
    });
    assert_eq!(
        text,
        "the output differs from the expected points (3 received, 2 expected):
    net bytes=1.0,total=1.0 1
  - net bytes=2.0,total=3i 2
  + net bytes=2.0,total=3.0 2
  + net bytes=2.0,total=5.0 3
  (- expected, + received)"
    );
    assert_eq!(line, line_of("// 1"));
    let (text, _) = panic_of(|| task.emits("net total=1 7"));
    assert_eq!(
        text,
        "the output differs from the expected points (0 received, 1 expected):
  - net total=1.0 7
  (- expected, + received)"
    );
    let (text, line) = panic_of(|| {
        task.feed("net bytes=1 1");
        task.emits_nothing(); // 2
    });
    assert!(text.starts_with("expected no output, but the UDF sent ["), "{text}");
    assert_eq!(line, line_of("// 2"));
    let (text, line) = panic_of(|| task.feed("net bytes=")); // 3
    assert!(text.starts_with("what is fed is not line protocol: line 1: "), "{text}");
    assert_eq!(line, line_of("// 3"));
    let (text, _) = panic_of(|| task.emits("net"));
    assert!(text.starts_with("the expected text is not line protocol: line 1: "), "{text}");
}

/// Returns the line of this file that ends with `mark`.
fn line_of(mark: &str) -> u32 {
    let lines = include_str!("testing.rs").lines();
    let (number, _) = (1..).zip(lines).find(|(_, line)| line.ends_with(mark)).unwrap();
    number
}

#[test]
fn points_can_be_built_that_no_line_can_hold() {
    let mut task =
        total().group_by("host").by_name().unfit_points(udf_runtime::OnUnfit::Send).start();
    let point =
        testing::point("net", |point| point.tag("host", "a").field("bytes", f64::INFINITY).time(5));
    task.feed_point(&point);
    let output = task.output();
    let came = output[0].as_point();
    assert_eq!(came.number("total"), Ok(f64::INFINITY));
    assert_eq!((came.group(), came.by_name()), ("net\nhost=a", true));
    assert_eq!(came.dimensions().collect::<Vec<_>>(), ["host"]);
    assert_eq!((came.database(), came.retention_policy(), came.time()), ("telegraf", "autogen", 5));
    let mut usual = total().start();
    usual.feed_point(&point);
    usual.emits_nothing();
    task.feed_point(&point);
    let line = &task.lines()[0];
    assert!(
        line.starts_with(
            "a point that line protocol cannot express, because the field `bytes` is inf"
        ),
        "{line}"
    );
}

#[test]
fn options_are_refused_by_the_udf_or_by_kapacitor() {
    assert_eq!(
        testing::udf::<Total>().refusal(),
        "UDF total: `.field` is missing; write `.field('text')`"
    );
    let refused = total().task_id("forbidden").node_id("total2").refusal();
    assert_eq!(refused, "not in the node total2");
    let (text, line) = panic_of(|| drop(testing::udf::<Total>().start())); // 4
    assert!(
        text.starts_with("the UDF refused its options: UDF total: `.field` is missing"),
        "{text}"
    );
    assert_eq!(line, line_of("// 4"));
    let (text, _) = panic_of(|| drop(total().option("feild=x").refusal()));
    assert_eq!(
        text,
        "Kapacitor itself would refuse these options: there is no option `feild`; did you mean `field`?"
    );
    let (text, _) = panic_of(|| drop(total().refusal()));
    assert_eq!(
        text,
        "expected the UDF to refuse its options, but it accepted them: [\"field=bytes\"]"
    );
}

#[test]
fn a_snapshot_goes_on_in_another_udf() {
    let mut first = total().group_by("host").start();
    first.feed("net,host=a bytes=1 10\nnet,host=b bytes=5");
    let snapshot = first.snapshot();
    let mut second = total().group_by("host").start();
    second.restore(&snapshot);
    second.feed("net,host=a bytes=2 20");
    second.emits("net,host=a bytes=2,total=3 20");

    // Output that was not taken is not lost.
    first.restart();
    first.feed("net,host=b bytes=1");
    first.emits(
        "net,host=a bytes=1,total=1 10
         net,host=b bytes=5,total=5 10
         groups count=2i
         net,host=b bytes=1,total=6 10",
    );
    let refusal = first.restore_refusal(b"garbage");
    assert!(refusal.contains("snapshot"), "{refusal}");
    let (text, line) = panic_of(|| first.restore(b"garbage")); // 5
    assert_eq!(text, format!("the UDF refused to restore the snapshot: {refusal}"));
    assert_eq!(line, line_of("// 5"));
    let (text, _) = panic_of(|| drop(first.restore_refusal(&snapshot)));
    assert_eq!(text, "expected the UDF to refuse the snapshot, but it accepted it");
}

#[test]
fn a_failure_is_asked_for() {
    let mut task = total().start();
    task.feed("net bytes=1 1\nnet packets=1 2\nnet bytes=1 3");
    let failure = task.failure();
    assert!(failure.contains("`bytes`"), "{failure}");
    // Earlier output is kept, and nothing follows the failure.
    task.emits("net bytes=1,total=1 1");
    let (text, _) = panic_of(|| task.feed("net bytes=1"));
    assert_eq!(text, "the input of the UDF has ended already");
    drop(task);

    let mut task = testing::udf::<Total>().option("field=fails_at_the_end").start();
    task.end();
    assert_eq!(task.failure(), "nothing good lasts");
    let task = testing::udf::<Total>().option("field=fails_at_the_end").start();
    let (text, _) = panic_of(|| drop(task));
    assert_eq!(text, "the UDF failed at its end, when the task was dropped: nothing good lasts");
}

#[test]
fn a_failure_that_nobody_asks_for_fails_the_test() {
    let mut task = total().start();
    task.feed("net packets=1"); // 6
    let place = format!("in `feed` at udf-runtime/tests/testing.rs:{}:10: ", line_of("// 6"));
    let told = |(text, _): (String, u32)| {
        assert!(text.starts_with("the UDF failed ") && text.contains(&place), "{text}");
        assert!(text.contains("`bytes`"), "{text}");
    };
    told(panic_of(|| task.feed("net bytes=1")));
    told(panic_of(|| task.emits_nothing()));
    told(panic_of(|| drop(task.snapshot())));
    told(panic_of(|| task.keepalive()));
    told(panic_of(|| task.end()));
    told(panic_of(|| drop(task)));

    let mut task = total().timeout(Duration::from_millis(400)).start();
    let (text, line) = panic_of(|| drop(task.failure())); // 7
    assert_eq!(text, "timed out after 400ms waiting for the UDF to fail");
    assert_eq!(line, line_of("// 7"));
}

/// The greatest value of each batch, as a point.
#[udf(wants = batch, provides = stream)]
struct Peak {
    points: Points,
    begin: BeginBatch,
}

impl BatchUdf for Peak {
    fn begin(&mut self, begin: &BeginBatch, _: &mut Emitter<Stream>) -> Result<()> {
        (self.begin, self.points) = (begin.clone(), Points::new());
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.points.push(point);
        Ok(())
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Stream>) -> Result<()> {
        let values = self.points.iter().filter_map(|point| point.number("v").ok());
        let mut peak = out.build(&self.begin.name).time(end.tmax);
        for (name, value) in &self.begin.tags {
            peak = peak.tag(name, value).dimension(name);
        }
        let peak = peak.field("points", self.points.len() as i64);
        Ok(peak.field("peak", values.fold(f64::MIN, f64::max)).send()?)
    }
}

#[test]
fn each_group_of_a_text_is_a_batch() {
    let mut task = testing::udf::<Peak>().group_by("host").start();
    task.feed(
        "cpu,host=b v=3 30
         cpu,host=a v=7 20
         cpu,host=a v=1i 10
         mem,host=a v=5 5",
    );
    task.emits(
        "cpu,host=a peak=7,points=2i 20
         cpu,host=b peak=3,points=1i 30
         mem,host=a peak=5,points=1i 5",
    );
    task.feed_batch(&WholeBatch { name: "cpu".into(), tmax: 60, ..WholeBatch::default() });
    assert_eq!(task.output()[0].as_point().int("points"), Ok(0));
}

/// Two points make a batch.
#[udf(wants = stream, provides = batch)]
struct Pairs {
    first: Option<udf_runtime::PointBuf>,
}

impl StreamUdf for Pairs {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let Some(first) = self.first.take() else {
            self.first = Some(point.to_buf());
            return Ok(());
        };
        let name = point.name().to_owned();
        let tags = BTreeMap::from([("pair".to_owned(), "yes".to_owned())]);
        let mut batch = out.begin(&BeginBatch { name, tags, ..BeginBatch::default() });
        batch.pass(&first.as_point());
        batch.edit(point).field("second", true).send()?;
        Ok(batch.end(point.time())?)
    }
}

#[test]
fn batches_come_out_whole_or_as_lines() {
    let mut task = testing::udf::<Pairs>().start();
    task.feed("a v=1 1");
    task.emits_nothing();
    task.feed("a v=2 2");
    task.emits("a,pair=yes v=1 1\na,pair=yes v=2,second=true 2");
    task.feed("a v=1 3\na v=2 4\na v=1 5");
    let batches = task.output();
    assert_eq!((batches.len(), batches[0].tmax, batches[0].points.len()), (1, 4, 2));
    assert_eq!((batches[0].name.as_str(), batches[0].tags["pair"].as_str()), ("a", "yes"));
}

/// Does what its options set: emits from a thread, blocks, panics.
struct Odd {
    script: Script,
    remote: Option<Remote<Stream>>,
    stopped: Arc<AtomicUsize>,
}

#[derive(Clone, Default)]
struct Script {
    /// A point blocks until a message is sent on this channel or its sender is dropped.
    busy: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
    panics: bool,
    /// Panics after it was blocked.
    panics_after: bool,
}

impl Handler for Odd {
    type Wants = Stream;
    type Provides = Stream;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        BTreeMap::from([("quietly".to_owned(), Vec::new())])
    }

    fn init(&mut self, init: Init, remote: &Remote<Stream>) -> Result<Verdict> {
        if init.options.iter().any(|call| call.name == "quietly") {
            return Ok(Verdict::Refused("never quietly".to_owned()));
        }
        self.remote = Some(remote.clone());
        Ok(Verdict::Accepted)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>> {
        Err("nothing to be kept".into())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        assert!(!self.script.panics, "no more points");
        if let Some(busy) = &self.script.busy {
            let _ = busy.lock().unwrap().recv();
            assert!(!self.script.panics_after, "released");
        }
        let (remote, time) = (self.remote.clone().unwrap(), point.time());
        std::thread::spawn(move || {
            // Reports this to the test, if the test still listens.
            let _ = remote.emit(|out| out.build("later").time(time).field("v", 1).send());
        });
        Ok(())
    }

    fn stop(&mut self) {
        self.stopped.fetch_add(1, Ordering::SeqCst);
    }
}

fn odd(script: &Script) -> (testing::Setup<Odd>, Arc<AtomicUsize>) {
    let stopped = Arc::new(AtomicUsize::new(0));
    let (script, counter) = (script.clone(), Arc::clone(&stopped));
    let make = move || Odd { script: script.clone(), remote: None, stopped: Arc::clone(&counter) };
    (testing::handler(make), stopped)
}

#[test]
fn handlers_are_driven_as_udfs_are() {
    let (setup, stopped) = odd(&Script::default());
    let mut task = setup.start();
    assert_eq!(stopped.load(Ordering::SeqCst), 1, "Kapacitor asks what it is beforehand");
    task.keepalive();
    task.end();
    assert_eq!(stopped.load(Ordering::SeqCst), 2);
    drop(task);
    let (setup, stopped) = odd(&Script::default());
    drop(setup.start());
    assert_eq!(stopped.load(Ordering::SeqCst), 2);
    assert_eq!(odd(&Script::default()).0.option("quietly").refusal(), "never quietly");
    let mut task = odd(&Script::default()).0.start();
    let (text, _) = panic_of(|| drop(task.snapshot()));
    assert_eq!(text, "the UDF failed: nothing to be kept");
    assert_eq!(task.failure(), "nothing to be kept");
}

#[test]
fn what_threads_emit_is_awaited() {
    let mut task = odd(&Script::default()).0.start();
    task.feed("a v=1 10");
    task.emits_within(SOON, "later v=1i 10");
    task.feed("a v=1 20");
    assert_eq!(task.next_within(SOON).as_point().time(), 20);
}

#[test]
fn what_is_awaited_in_vain_is_named() {
    let (release, busy) = mpsc::channel();
    let busy = Some(Arc::new(Mutex::new(busy)));
    let (setup, _) = odd(&Script { busy, ..Script::default() });
    let mut task = setup.timeout(Duration::from_millis(400)).start();
    let (text, line) = panic_of(|| task.feed("a v=1")); // 8
    assert_eq!(
        text,
        "timed out after 400ms waiting for the UDF to handle the points; the handler may still be busy"
    );
    assert_eq!(line, line_of("// 8"));
    let (text, _) = panic_of(|| task.keepalive());
    assert_eq!(
        text,
        "timed out after 400ms waiting for the answer to a keepalive; is the UDF still busy?"
    );
    let within = Duration::from_millis(20);
    let (text, line) = panic_of(|| drop(task.next_within(within))); // 9
    assert_eq!(text, "timed out after 20ms waiting for a point");
    assert_eq!(line, line_of("// 9"));
    let (text, _) = panic_of(|| task.emits_within(within, "later v=1i"));
    assert_eq!(
        text,
        "timed out after 20ms waiting for one point
the output differs from the expected points (0 received, 1 expected):
  - later v=1i
  (- expected, + received)"
    );
    let (text, _) = panic_of(|| task.end());
    assert_eq!(
        text,
        "timed out after 400ms waiting for the UDF to close its side, after its input had ended"
    );
    drop(release);
    task.end();
}

#[test]
fn a_panic_of_a_handler_is_its_failure() {
    let mut task = odd(&Script { panics: true, ..Script::default() }).0.start();
    task.feed("a v=1");
    let failure = task.failure();
    assert!(failure.contains("panicked") && failure.contains("no more points"), "{failure}");
}

/// Far more points than the transport and its queues hold.
const MANY: usize = 30_000;

fn many_lines() -> String {
    (0..MANY).map(|time| format!("net bytes=1 {time}\n")).collect()
}

#[test]
fn more_can_be_fed_and_emitted_than_the_transport_holds() {
    let mut task = total().start();
    task.feed(&many_lines());
    let output = task.output();
    assert_eq!(output.len(), MANY);
    assert_eq!(output[MANY - 1].as_point().number("total"), Ok(MANY as f64));
    task.end();
}

#[test]
fn a_busy_udf_is_not_waited_for_beyond_its_timeout_when_much_is_fed() {
    let (release, busy) = mpsc::channel();
    let busy = Some(Arc::new(Mutex::new(busy)));
    let (setup, _) = odd(&Script { busy, panics_after: true, ..Script::default() });
    let mut task = setup.timeout(Duration::from_millis(400)).start();
    let (text, _) = panic_of(|| task.feed(&many_lines()));
    assert_eq!(
        text,
        "timed out after 400ms waiting for the UDF to handle the points; the handler may still be busy"
    );
    drop(release);
    let (text, _) = panic_of(|| drop(task.next_within(SOON)));
    assert!(text.starts_with("the UDF failed: ") && text.contains("released"), "{text}");
    // The failure is known, so the call must not wait for it again.
    let (text, _) = panic_of(|| drop(task));
    assert!(text.starts_with("the UDF failed in `next_within` at "), "{text}");
}
