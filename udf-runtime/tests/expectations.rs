//! The test kit: ticks, restarts, and the messages of its expectations.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod panics;

use std::collections::BTreeMap;
use std::time::Duration;

use panics::panic_of;
use udf_runtime::testing::{self, Setup};
use udf_runtime::{
    Batch, BeginBatch, Emitter, Handler, Init, Point, Remote, Result, Stream, Value, ValueType,
    Verdict,
};

/// Passes points on, counts them, and sends the count at each tick.
#[derive(Default)]
struct Count {
    points: i64,
    every: Option<Duration>,
    most: Option<i64>,
}

impl Handler for Count {
    type Wants = Stream;
    type Provides = Stream;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        let option = |name: &str, of| (name.to_owned(), vec![of]);
        BTreeMap::from([option("every", ValueType::Duration), option("most", ValueType::Int)])
    }

    fn init(&mut self, init: Init, _: &Remote<Stream>) -> Result<Verdict> {
        for call in init.options {
            match call.values[..] {
                [Value::Duration(nanos)] => self.every = Some(Duration::from_nanos(nanos as u64)),
                [Value::Int(0)] => return Ok(Verdict::Refused("none at all".to_owned())),
                [Value::Int(most)] => self.most = Some(most),
                _ => {}
            }
        }
        Ok(Verdict::Accepted)
    }

    fn snapshot(&mut self) -> Result<Vec<u8>> {
        Ok(self.points.to_be_bytes().to_vec())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<Verdict> {
        let points = i64::from_be_bytes(snapshot.try_into()?);
        if self.most.is_some_and(|most| points > most) {
            return Ok(Verdict::Refused(format!("there are {points} points")));
        }
        self.points = points;
        Ok(Verdict::Accepted)
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        self.points += 1;
        Ok(out.pass(point)?)
    }

    fn tick_every(&self) -> Option<Duration> {
        self.every
    }

    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        match self.points {
            13 => Err("thirteen".into()),
            14 => panic!("fourteen"),
            points => Ok(out.build("count").field("points", points).send()?),
        }
    }
}

fn count() -> Setup<Count> {
    testing::handler(Count::default).option("every=1ms")
}

#[test]
fn a_task_ticks_when_the_test_says_so_and_only_then() {
    let mut task = count().start();
    assert_eq!(task.tick_every(), Some(Duration::from_millis(1)));
    task.tick();
    task.emits("count points=0i 0");
    task.feed("m v=1 10\nm v=2 20");
    // Several intervals pass, without a tick.
    std::thread::sleep(Duration::from_millis(5));
    task.emits("m v=1 10\nm v=2 20");
    task.tick();
    task.tick();
    task.emits("count points=2i 20\ncount points=2i 20");
    task.feed_point(&testing::point("m", |point| point.field("v", 3.0).time(30)));
    task.tick();
    task.emits("m v=3 30\ncount points=3i 30");
    task.end();
    let (text, line) = panic_of(|| task.tick()); // after the end
    assert_eq!(text, "the input of the UDF has ended already");
    assert_eq!(line, line_of("// after the end"));
}

#[test]
fn a_task_without_ticks_says_so() {
    let mut task = testing::handler(Count::default).start();
    assert_eq!(task.tick_every(), None);
    let (text, line) = panic_of(|| task.tick()); // no ticks
    assert_eq!(text, "the UDF has no ticks: it has no `tick = ...`, or no interval is set");
    assert_eq!(line, line_of("// no ticks"));
}

#[test]
fn an_error_or_a_panic_of_a_tick_is_the_failure_of_the_udf() {
    for (points, failure) in [(13, "thirteen"), (14, "the handler panicked in tick: fourteen")] {
        let mut task = count().start();
        task.feed(&"m v=1\n".repeat(points));
        task.tick();
        assert_eq!(task.failure(), failure);
        assert_eq!(task.output().len(), points);
    }
    let mut task = count().start();
    task.feed(&"m v=1\n".repeat(13));
    task.tick(); // the thirteenth
    let (text, _) = panic_of(|| task.tick());
    let place = format!("udf-runtime/tests/expectations.rs:{}:10", line_of("// the thirteenth"));
    assert_eq!(text, format!("the UDF failed in `tick` at {place}: thirteen"));
    assert_eq!(task.failure(), "thirteen");
}

#[test]
fn a_restart_keeps_the_state_and_the_output() {
    let mut task = count().start();
    task.feed("m v=1 10");
    task.restart();
    task.feed("m v=2");
    task.tick();
    task.emits("m v=1 10\nm v=2 10\ncount points=2i 10");
    task.restart_with(["every=1m", "most=2"]);
    assert_eq!(task.tick_every(), Some(Duration::from_secs(60)));
    task.tick();
    task.emits("count points=2i 10");
    task.end();
}

#[test]
fn a_restart_that_is_refused_names_the_reason_at_its_line() {
    let refused = |options: [&'static str; 1]| {
        let mut task = count().start();
        task.feed("m v=1\nm v=2");
        panic_of(move || task.restart_with(options)) // restarted
    };
    let line = line_of("// restarted");
    let text = "the UDF refused to restore the snapshot: there are 2 points";
    assert_eq!(refused(["most=1"]), (text.to_owned(), line));
    assert_eq!(refused(["most=0"]), ("the UDF refused its options: none at all".to_owned(), line));
    let text = "Kapacitor itself would refuse these options: there is no option `mots`; did you mean `most`?";
    assert_eq!(refused(["mots=1"]), (text.to_owned(), line));
}

#[test]
fn the_order_of_points_can_be_ignored() {
    let fed = "m,a=1 v=1 1\nm,a=2 v=2 2\nm,a=2 v=2 3";
    let mut task = count().start();
    task.feed(fed);
    // A line without a time leaves the time that another line names.
    task.emits_in_any_order("m,a=2 v=2\nm,a=2 v=2 2\nm,a=1 v=1 1");
    task.feed(fed);
    let (text, line) = panic_of(|| {
        task.emits_in_any_order("m,a=2 v=2 4\nm,a=1 v=1"); // in any order
    });
    assert_eq!(
        text,
        "the output differs from the expected points, in any order (3 received, 2 expected):
    m,a=1 v=1.0 1
  - m,a=2 v=2.0 4
  + m,a=2 v=2.0 2
  + m,a=2 v=2.0 3
  (- expected, + received)"
    );
    assert_eq!(line, line_of("// in any order"));
    task.feed("m v=1 1\nm v=1 1");
    let (text, _) = panic_of(|| task.emits_in_any_order("m v=1"));
    assert_eq!(
        text,
        "the output differs from the expected points, in any order (2 received, 1 expected):
    m v=1.0 1
  + m v=1.0 1
  (- expected, + received)"
    );
}

#[test]
fn floats_can_differ_by_a_tolerance() {
    let fed = "m n=1i,s=\"0.1\",v=3000000000.1,w=0.30000000000000004 1";
    let mut task = count().start();
    task.feed(fed);
    let (text, _) = panic_of(|| task.emits("m n=1i,s=\"0.1\",v=3e9,w=0.3 1"));
    assert_eq!(
        text,
        "the output differs from the expected points (1 received, 1 expected):
  - m n=1i,s=\"0.1\",v=3000000000.0,w=0.3 1
  + m n=1i,s=\"0.1\",v=3000000000.1,w=0.30000000000000004 1
  (- expected, + received)"
    );
    let mut task = count().tolerance(1e-9).start();
    task.feed(&[fed; 6].join("\n"));
    task.emits_within(Duration::from_secs(20), "m n=1i,s=\"0.1\",v=3e9,w=0.3 1");
    let (text, line) = panic_of(|| {
        let different = [
            "m n=1i,s=\"0.1\",v=3000000004.0,w=0.3 1",
            "m n=1i,s=\"0.1\",v=3e9,w=0.300000002 1",
            "m n=2i,s=\"0.1\",v=3e9,w=0.3 1",
            "m n=1i,s=\"0.2\",v=3e9,w=0.3 1",
            "m n=1i,s=\"0.1\",v=3e9,w=0.3 2",
        ];
        task.emits(&different.join("\n")); // close to
    });
    assert_eq!(text.matches("\n  - ").count(), 5, "{text}");
    assert!(text.ends_with("\n  (- expected, + received, tolerance 1e-9)"), "{text}");
    assert_eq!(line, line_of("// close to"));
    task.feed("m v=-1e-17 1");
    task.emits("m v=0");
    task.restart();
    task.feed("m v=0.30000000000000004 1");
    task.emits_in_any_order("m v=0.3");
    let (text, line) = panic_of(|| drop(count().tolerance(-1.0))); // no tolerance
    assert_eq!(text, "a tolerance must be at least 0, but this one is -1");
    assert_eq!(line, line_of("// no tolerance"));
}

/// Sends each point as a batch, with the point in it as often as its field says.
struct Copies;

impl Handler for Copies {
    type Wants = Stream;
    type Provides = Batch;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        BTreeMap::new()
    }

    fn init(&mut self, _: Init, _: &Remote<Batch>) -> Result<Verdict> {
        Ok(Verdict::Accepted)
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let tags = point.tags().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let begin = BeginBatch {
            name: point.name().to_owned(),
            tags: tags.collect(),
            ..BeginBatch::default()
        };
        let mut batch = out.begin(&begin);
        (0..point.int("times")?).for_each(|_| batch.pass(point));
        Ok(batch.end(point.time() + 1)?)
    }
}

#[test]
fn the_batches_of_points_can_be_compared() {
    let fed = "m,host=a\\ 1 times=2i 10\nm times=0i 20\nm,host=b times=1i 30";
    let mut task = testing::handler(|| Copies).start();
    task.feed(fed);
    // Without lines for batches, only the points are compared.
    task.emits("m,host=a\\ 1 times=2i 10\nm,host=a\\ 1 times=2i 10\nm,host=b times=1i 30");
    task.feed(fed);
    task.emits(
        "# batch m,host=a\\ 1 11
         m,host=a\\ 1 times=2i 10
         m,host=a\\ 1 times=2i 10
         # Another comment.
         # batch m
         # batch m,host=b 31
         m,host=b times=1i",
    );
    task.feed("m,host=b times=1i 30");
    assert_eq!(task.lines(), ["# batch m,host=b 31", "m,host=b times=1i 30"]);
    task.feed(fed);
    let (text, line) = panic_of(|| {
        task.emits(
            "# batch m,host=a\\ 1 11
             m,host=a\\ 1 times=2i 10
             # batch m,host=a\\ 1 11
             m,host=a\\ 1 times=2i 10
             # batch m 21
             # batch m,host=b 30
             m,host=b times=1i 30",
        );
    });
    assert_eq!(
        text,
        "the output differs from the expected points (3 received, 3 expected):
    # batch m,host=a\\ 1 11
    m,host=a\\ 1 times=2i 10
  - # batch m,host=a\\ 1 11
  + m,host=a\\ 1 times=2i 10
  - m,host=a\\ 1 times=2i 10
  + # batch m 21
  - # batch m 21
  + # batch m,host=b 31
  - # batch m,host=b 30
  + m,host=b times=1i 30
  - m,host=b times=1i 30
  (- expected, + received)"
    );
    assert_ne!(line, 0);
    task.feed(fed);
    task.emits_in_any_order(
        "# batch m
         # batch m,host=b 31
         m,host=b times=1i
         # batch m,host=a\\ 1
         m,host=a\\ 1 times=2i 10
         m,host=a\\ 1 times=2i 10",
    );
    task.feed(fed);
    task.emits_within(
        Duration::from_secs(20),
        "# batch m,host=a\\ 1 11
         m,host=a\\ 1 times=2i
         m,host=a\\ 1 times=2i
         # batch m",
    );
    task.emits("# batch m,host=b\nm,host=b times=1i 30");
}

#[test]
fn texts_about_batches_that_cannot_be_met_are_refused() {
    let mut task = testing::handler(|| Copies).start();
    let (text, line) = panic_of(|| task.emits("m v=1\n# batch m,host= 1")); // no begin
    let start = "line 2 of the expected text is not the begin of a batch, such as `# batch cpu,host=a 60`: ";
    assert!(text.starts_with(start), "{text}");
    assert_eq!(line, line_of("// no begin"));
    for misspelt in ["#batch m 1", "# Batch m 1", "# bacth m 1", "# batch"] {
        let (text, _) = panic_of(|| task.emits(&format!("m v=1\n{misspelt}")));
        let expected =
            "line 2 of the expected text is a comment; did you mean `# batch cpu,host=a 60`?";
        assert_eq!(text, expected, "{misspelt}");
    }
    let (text, _) = panic_of(|| task.emits("# batch m\nm v=1\nm\nm v=2"));
    assert!(text.starts_with("the expected text is not line protocol: line 3: "), "{text}");
    let (text, _) = panic_of(|| task.emits_within(Duration::ZERO, "# batch m\nm v=1\n# batch n"));
    assert!(text.starts_with("timed out after 0ns waiting for 2 batches\n"), "{text}");
    let mut task = count().start();
    let (text, _) = panic_of(|| task.emits("# batch m\nm v=1"));
    assert_eq!(text, "the expected text has batches, but the UDF provides a stream");
}

/// Checks that a call on one line panics at this line.
macro_rules! panics_here {
    ($call:expr) => {{
        let (text, line) = panic_of(|| {
            let _ = $call;
        });
        assert_eq!(line, line!(), "{text}");
    }};
}

#[test]
fn each_step_panics_at_the_line_of_the_test() {
    let mut task = count().start();
    let snapshot = task.snapshot();
    let point = testing::point("m", |point| point.field("v", 1.0).time(1));
    task.feed(&"m v=1\n".repeat(14));
    task.tick();
    panics_here!(task.feed("m v=1"));
    panics_here!(task.feed_point(&point));
    panics_here!(task.tick());
    panics_here!(task.tick_every());
    panics_here!(task.keepalive());
    panics_here!(task.snapshot());
    panics_here!(task.restore(&snapshot));
    panics_here!(task.restore_refusal(&snapshot));
    panics_here!(task.restart());
    panics_here!(task.restart_with(["most=1"]));
    panics_here!(task.output());
    panics_here!(task.lines());
    panics_here!(task.emits("m v=1"));
    panics_here!(task.emits_in_any_order("m v=1"));
    panics_here!(task.emits_within(Duration::ZERO, &"m v=1\n".repeat(15)));
    panics_here!(task.emits_nothing());
    panics_here!(task.next_within(Duration::ZERO));
    panics_here!(task.end());
    task.failure();
    panics_here!(task.keepalive());
    // A closure of the author is a place of its own.
    let mut task = count().start();
    let mut check = |text: &str| task.emits(text); // in the closure
    let (_, line) = panic_of(|| check("m v=1"));
    assert_eq!(line, line_of("// in the closure"));
}

/// Returns the line of this file that ends with `mark`.
fn line_of(mark: &str) -> u32 {
    let lines = include_str!("expectations.rs").lines();
    let (number, _) = (1..).zip(lines).find(|(_, line)| line.ends_with(mark)).unwrap();
    number
}
