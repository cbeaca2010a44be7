//! Input that arrives slowly, or that is long and produces no output. The UDF must send keepalives
//! in both cases, because Kapacitor requests none within a batch or a message.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{BeginBatch, EndBatch, Point, RestoreRequest};
use udf_tests::program::{TIMEOUT, Transport, frame, init};

use crate::subject::{Subject, point};
use crate::{BOTH, cases};

cases! {
    a_batch_that_takes_long_to_arrive, BOTH, "Kapacitor gets keepalives within a batch, also while no point arrives.";
    a_batch_of_400_000_points, BOTH, "While a large batch arrives, Kapacitor gets a keepalive within a timeout of 2 seconds.";
    a_batch_that_never_ends, BOTH, "After the budget, keepalives end; the log reports that the input has stopped.";
    a_restore_that_trickles_in, BOTH, "While a request of 60 MiB arrives, Kapacitor gets keepalives, and then the answer.";
    an_init_that_takes_long_to_arrive, BOTH, "Kapacitor also gets keepalives before Init, while a short message is incomplete.";
    points_that_produce_nothing, BOTH, "While points arrive and nothing is emitted, Kapacitor gets keepalives.";
}

fn begin() -> Ask {
    let tags = BTreeMap::from([("host".to_owned(), "a".to_owned())]);
    Ask::Begin(BeginBatch {
        name: "cpu".into(),
        group: "host=a".into(),
        tags,
        ..Default::default()
    })
}

fn end() -> Ask {
    let tags = BTreeMap::from([("host".to_owned(), "a".to_owned())]);
    Ask::End(EndBatch { name: "cpu".into(), group: "host=a".into(), tags, ..Default::default() })
}

/// Returns a point of a batch.
fn item(time: i64) -> Ask {
    let fields_double = BTreeMap::from([("usage".to_owned(), time as f64)]);
    Ask::Point(Point { time, group: "host=a".into(), fields_double, ..Default::default() })
}

/// Checks that the batch is answered with a batch, which may be empty.
fn is_answered(udf: Subject) {
    let rest = udf.lives();
    assert!(matches!(rest.last(), Some(Answer::End(_))), "{rest:?}");
}

fn a_batch_that_takes_long_to_arrive(on: Transport) {
    let mut udf = Subject::outliers(on);
    udf.ask(begin());
    udf.connection.wait_for_keepalive();
    for time in 0..3 {
        udf.ask(item(time));
        // Two keepalives: the point alone could cause one.
        udf.connection.wait_for_keepalive();
        udf.connection.wait_for_keepalive();
    }
    udf.ask(end());
    is_answered(udf);
}

fn a_batch_of_400_000_points(on: Transport) {
    let mut udf = Subject::outliers(on);
    let mut input = udf.connection.take_input();
    let (ended, silences) = channel();
    let sending = thread::spawn(move || {
        let mut bytes = frame(begin());
        for time in 0..400_000 {
            bytes.extend(frame(item(time)));
            if bytes.len() >= 64 << 10 || time == 399_999 {
                input.write_all(&bytes).expect("the other side reads");
                bytes.clear();
            }
        }
        // The batch is written. From now on, only the handler works.
        ended.send(()).expect("the test waits for the end");
        input
    });
    let mut longest = Duration::ZERO;
    while silences.try_recv().is_err() {
        let since = Instant::now();
        assert!(udf.connection.has_keepalive_within(TIMEOUT), "no keepalive while a batch arrives");
        longest = longest.max(since.elapsed());
    }
    assert!(longest < Duration::from_secs(2), "Kapacitor heard nothing for {longest:?}");
    udf.connection.give_input(sending.join().expect("the thread does not panic"));
    udf.ask(end());
    is_answered(udf);
}

fn a_batch_that_never_ends(on: Transport) {
    let (program, ends) = crate::subject::start(
        udf_tests::program::example("outliers"),
        on,
        &["--busy-budget", "2s"],
    );
    let mut connection = udf_tests::program::Connection::new(ends);
    crate::subject::init(&mut connection, &[("field", &["usage".into()])]);
    connection.ask(begin());
    let line = program.wait_for_log("within a message or a batch");
    assert!(line.contains("task=\"task\"") && line.contains("ERROR"), "{line}");
    connection.wait_for_keepalive();
    // Earlier keepalives have arrived. After a while, no more follow.
    let more = (0..50).all(|_| connection.has_keepalive_within(Duration::from_millis(400)));
    assert!(!more, "Kapacitor keeps hearing from a connection that hangs");
}

fn a_restore_that_trickles_in(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    let restore = frame(Ask::Restore(RestoreRequest { snapshot: vec![7; 60 << 20] }));
    for piece in restore.chunks(12 << 20) {
        udf.connection.forget_keepalives();
        udf.send(piece);
        if !std::ptr::eq(piece.as_ptr_range().end, restore.as_ptr_range().end) {
            udf.connection.wait_for_keepalive();
            udf.connection.wait_for_keepalive();
        }
    }
    assert!(matches!(udf.connection.answer(), Answer::Restore(restore) if !restore.success));
    assert_eq!(udf.lives(), []);
}

fn an_init_that_takes_long_to_arrive(on: Transport) {
    let mut udf = Subject::example("mirror", on);
    let init = frame(init(&[]));
    for byte in &init[..3] {
        udf.connection.forget_keepalives();
        udf.send(&[*byte]);
        udf.connection.wait_for_keepalive();
        udf.connection.wait_for_keepalive();
    }
    udf.send(&init[3..]);
    assert!(matches!(udf.connection.answer(), Answer::Init(init) if init.success));
    udf.echo(1);
    assert_eq!(udf.lives(), []);
}

fn points_that_produce_nothing(on: Transport) {
    // The UDF skips points without the field.
    let mut udf = Subject::moving_avg(on);
    let mut other = point(1);
    other.fields_double = BTreeMap::from([("other".to_owned(), 1.0)]);
    for _ in 0..3 {
        udf.connection.forget_keepalives();
        let begun = Instant::now();
        while !udf.connection.has_keepalive_within(Duration::ZERO) {
            assert!(begun.elapsed() < TIMEOUT, "no keepalive while points arrive");
            udf.ask(Ask::Point(other.clone()));
        }
    }
    assert_eq!(udf.lives(), []);
}
