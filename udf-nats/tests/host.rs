//! A UDF of the kit behind the interface that the drivers use.

use std::sync::Arc;

use bytes::Bytes;
use udf_host::{Interface, Loopback};
use udf_nats::{Chunk, HostUdf, Message, Output, Program, ProgramError, Udf as _, UdfError};
use udf_runtime::{
    Agent, BatchUdf, BeginBatch, Emitter, EndBatch, Point, Result, Stream, StreamUdf, Tick,
    UdfHandler, udf,
};
use udf_text::line_protocol::Grouping;

/// Numbers its points. Panics at a field `panic`.
#[udf(wants = stream, provides = stream, tick = "1m")]
struct Counter {
    #[state]
    count: i64,
}

impl StreamUdf for Counter {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        assert!(point.field("panic").is_none(), "this is expected");
        if point.field("quiet").is_some() {
            return Ok(());
        }
        self.count += 1;
        Ok(out.edit(point).only_field("count", self.count).send()?)
    }
}

impl Tick for Counter {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        self.count += 1;
        Ok(out.build("tick").field("count", self.count).send()?)
    }
}

/// Wants batches.
#[udf(wants = batch, provides = stream)]
struct Batches {}

impl BatchUdf for Batches {
    fn begin(&mut self, _: &BeginBatch, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }

    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &EndBatch, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn counter() -> Box<dyn Interface> {
    Box::new(Loopback::new(|reader, writer| {
        Ok(Agent::new(reader, writer, UdfHandler::<Counter>::new()).run()?)
    }))
}

fn program() -> Arc<Program> {
    let grouping = Grouping::by(["host"]);
    let program = Program::new(Arc::new(counter), "ma", "counter", &[], grouping);
    Arc::new(program.expect("the options fit"))
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(test)
}

/// Returns a chunk with a message for each text, from the sequence 1 on.
fn chunk(texts: &[&str]) -> Chunk {
    let message = |(seq, text): (u64, &&str)| {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        Message { seq, time: 1000 * seq as i64, tick: None, payload }
    };
    let messages: Vec<_> = (1..).zip(texts).map(message).collect();
    Chunk { upto: messages.len() as u64, messages, ..Chunk::default() }
}

fn text(output: Output) -> String {
    String::from_utf8(output.lines.into_text()).expect("lines are text")
}

#[test]
fn each_chunk_has_its_own_output() {
    run(async {
        let mut udf = HostUdf::new(program());
        let every = udf.start(None).await.expect("it starts");
        assert_eq!(every, Some(std::time::Duration::from_secs(60)));
        udf.feed(chunk(&["m,host=a f=1 1\nm,host=b f=1 2\n", "m,host=a f=1 3"]));
        udf.feed(chunk(&["m quiet=1 4\n"]));
        udf.feed(chunk(&[]));
        udf.feed(chunk(&["m f=1 5\n"]));
        let output = udf.output().await.expect("it runs");
        assert_eq!((output.lines.len(), output.lines_in), (3, 3));
        let lines = "m,host=a count=1i 1\nm,host=b count=2i 2\nm,host=a count=3i 3\n";
        assert_eq!(text(output), lines);
        for lines in ["", "", "m count=4i 5\n"] {
            assert_eq!(text(udf.output().await.expect("it runs")), lines);
        }
    });
}

#[test]
fn lines_without_a_time_get_the_time_of_their_message() {
    run(async {
        let mut udf = HostUdf::new(program());
        udf.start(None).await.expect("it starts");
        udf.feed(chunk(&["m f=1", "m f=1 7\nm f=2", "m f=1\n"]));
        let lines = "m count=1i 1000\nm count=2i 7\nm count=3i 2000\nm count=4i 3000\n";
        assert_eq!(text(udf.output().await.expect("it runs")), lines);
    });
}

#[test]
fn a_snapshot_is_that_behind_its_chunk() {
    run(async {
        let mut udf = HostUdf::new(program());
        udf.start(None).await.expect("it starts");
        udf.feed(Chunk { snapshot: true, ..chunk(&["m f=1 1\nm f=1 2\n"]) });
        udf.feed(chunk(&["m f=1 3\n"]));
        let state = udf.output().await.expect("it runs").snapshot.expect("it was asked for");
        assert!(udf.output().await.expect("it runs").snapshot.is_none());
        for _ in 0..2 {
            udf.start(Some(state.clone())).await.expect("it starts again");
            udf.feed(chunk(&["m f=1 9\n"]));
            assert_eq!(text(udf.output().await.expect("it runs")), "m count=3i 9\n");
        }
        let refused = udf.start(Some(Bytes::from_static(b"no state"))).await;
        assert!(matches!(refused, Err(UdfError::Refused(_))), "{refused:?}");
    });
}

#[test]
fn ticks_come_at_their_records_only() {
    run(async {
        let mut udf = HostUdf::new(program());
        udf.start(None).await.expect("it starts");
        let mut ticking = chunk(&["m f=1 1\n", "", "m f=1 3\n"]);
        ticking.messages[1].tick = Some(2_000_000_000);
        for one_by_one in [false, true] {
            udf.feed(Chunk { one_by_one, ..ticking.clone() });
        }
        udf.feed(Chunk { leave_out: vec![(2, 0)], ..ticking });
        for lines in [
            "m count=1i 1\ntick count=2i 2000000000\nm count=3i 3\n",
            "m count=4i 1\ntick count=5i 2000000000\nm count=6i 3\n",
            "m count=7i 1\nm count=8i 3\n",
        ] {
            assert_eq!(text(udf.output().await.expect("it runs")), lines);
        }
    });
}

#[test]
fn lines_that_are_not_valid_or_left_out_are_skipped() {
    run(async {
        let mut udf = HostUdf::new(program());
        udf.start(None).await.expect("it starts");
        let big = "m f=18446744073709551615u 1\n";
        let texts = [
            "no line\nm f=1 1\nm f=1 2\nneither\n",
            "\u{feff}# DDL\nCREATE DATABASE x\n",
            "# CONTEXT-DATABASE:other\nm f=1 3\n",
            big,
        ];
        udf.feed(Chunk { leave_out: vec![(1, 2)], ..chunk(&texts) });
        udf.feed(chunk(&["m f=1 4\n"]));
        let output = udf.output().await.expect("it runs");
        let left_out = &output.left_out;
        assert_eq!((left_out.invalid, left_out.fields), (3, 1));
        let first = left_out.first_invalid.as_ref().expect("there is one");
        assert_eq!((first.seq, first.line), (1, 0));
        assert_eq!(text(output), "m count=1i 1\nm count=2i 3\n");
        assert_eq!(text(udf.output().await.expect("it runs")), "m count=3i 4\n");
    });
}

#[test]
fn the_line_that_ends_the_udf_is_known_if_lines_come_one_by_one() {
    run(async {
        let mut udf = HostUdf::new(program());
        let deadly = chunk(&["m f=1 1\nm panic=1 2\nm f=1 3\n"]);
        for one_by_one in [false, true] {
            udf.start(None).await.expect("it starts");
            udf.feed(chunk(&["m f=1 0\n"]));
            udf.feed(Chunk { one_by_one, ..deadly.clone() });
            assert_eq!(text(udf.output().await.expect("it runs")), "m count=1i 0\n");
            let Err(UdfError::Ended { why, line }) = udf.output().await else {
                panic!("the UDF goes on");
            };
            assert!(why.contains("this is expected"), "{why}");
            assert_eq!(line.is_some(), one_by_one);
            if let Some(suspect) = line {
                assert_eq!((suspect.line, &suspect.payload[..]), (1, &b"m panic=1 2"[..]));
            }
        }
    });
}

#[test]
fn udfs_and_options_that_do_not_fit_are_refused() {
    let grouping = Grouping::none;
    let options = ["size=3".to_owned()];
    let refused = Program::new(Arc::new(counter), "ma", "counter", &options, grouping());
    assert!(matches!(refused, Err(ProgramError::Options(_))), "{refused:?}");
    let batches = || {
        Box::new(Loopback::new(|reader, writer| {
            Ok(Agent::new(reader, writer, UdfHandler::<Batches>::new()).run()?)
        })) as Box<dyn Interface>
    };
    let refused = Program::new(Arc::new(batches), "ma", "batches", &[], grouping());
    let refused = refused.expect_err("it wants batches").to_string();
    assert!(
        refused.starts_with("the UDF wants batches, and `udf nats` runs UDFs that"),
        "{refused}"
    );
}
