//! The host drives UDFs as Kapacitor does: spawned, on a socket, and in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use udf_host::{Error, Interface, Loopback, Process, Settings, Socket, WholeBatch};
use udf_proto::{EdgeType, Init, OptionCall, PointBuf, Points, Value, messages};
use udf_runtime::state::Groups;
use udf_runtime::{
    Agent, Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Point, Result, Stream, StreamUdf,
    UdfHandler, udf,
};
use udf_tests::program::{Program, TIMEOUT, example};

/// Mean of all values of a field, for each group. Equal to `moving_avg` with a large window.
#[udf(wants = stream, provides = stream)]
struct Mean {
    #[option]
    field: String,
    #[option]
    size: usize,
    #[state]
    sums: Groups<(f64, f64)>,
}

impl StreamUdf for Mean {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = point.number(&self.field)?;
        let (sum, count) = self.sums.of(point);
        (*sum, *count) = (*sum + value, (*count + 1.0).min(self.size as f64));
        Ok(out.edit(point).only_field("avg", *sum / *count).send()?)
    }
}

/// Returns a batch unchanged if a value is above 100, and drops other batches.
#[udf(wants = batch, provides = batch)]
struct Large {
    #[option]
    field: String,
    begin: BeginBatch,
    points: Points,
}

impl BatchUdf for Large {
    fn begin(&mut self, begin: &BeginBatch, _: &mut Emitter<Batch>) -> Result<()> {
        self.begin = begin.clone();
        self.points.clear();
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        if point.number(&self.field)? > 100.0 {
            self.points.push(point);
        }
        Ok(())
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Batch>) -> Result<()> {
        let mut batch = out.begin(&self.begin);
        for point in self.points.iter() {
            batch.pass(&point);
        }
        Ok(batch.end(end.tmax)?)
    }
}

/// Runs `test` with a function that opens connections: with the spawned example, over a socket, and
/// with `T` in memory.
fn everywhere(
    name: &str,
    in_memory: impl Fn() -> Loopback,
    test: impl Fn(&dyn Fn() -> Box<dyn Interface>),
) {
    test(&|| Box::new(Process::new(example(name))));
    let daemon = Program::daemon(name, &[]);
    test(&|| Box::new(Socket::new(daemon.socket())));
    test(&|| Box::new(in_memory()));
}

fn mean() -> Loopback {
    Loopback::new(|reader, writer| Ok(Agent::new(reader, writer, UdfHandler::<Mean>::new()).run()?))
}

fn large() -> Loopback {
    Loopback::new(
        |reader, writer| Ok(Agent::new(reader, writer, UdfHandler::<Large>::new()).run()?),
    )
}

fn options(calls: &[(&str, Value)]) -> Init {
    let options = calls
        .iter()
        .map(|(name, value)| OptionCall { name: (*name).into(), values: vec![value.clone()] });
    Init { options: options.collect(), task_id: "task".into(), node_id: "node".into() }
}

fn averaging() -> Init {
    options(&[("field", "usage".into()), ("size", Value::Int(1000))])
}

fn point(time: i64, value: f64) -> PointBuf {
    let mut point = messages::Point {
        time,
        name: "cpu".into(),
        group: "host=a".into(),
        dimensions: vec!["host".into()],
        ..Default::default()
    };
    point.tags.insert("host".into(), "a".into());
    point.fields_double.insert("usage".into(), value);
    PointBuf::from(point)
}

/// Sends a point. Returns the average from the answer.
fn average(udf: &dyn Interface, value: f64) -> f64 {
    udf.point_in().unwrap().send(point(1, value).as_point()).unwrap();
    let back = udf.point_out().unwrap().recv_timeout(TIMEOUT).unwrap();
    back.as_point().float("avg").unwrap()
}

#[test]
fn a_stream_is_driven_through_its_whole_life() {
    everywhere("moving_avg", mean, |connect| {
        let udf = connect();
        udf.open().unwrap();
        let info = udf.info().unwrap();
        assert_eq!((info.wants, info.provides), (EdgeType::Stream, EdgeType::Stream));
        assert!(info.options.contains_key("field"));
        udf.close().unwrap();

        let udf = connect();
        udf.open().unwrap();
        udf.init(averaging()).unwrap();
        assert_eq!(average(&*udf, 1.0), 1.0);
        assert_eq!(average(&*udf, 3.0), 2.0);
        let taken = udf.snapshot().unwrap();
        udf.close().unwrap();
        let late = udf.snapshot();
        assert!(late.is_err(), "a request after the end fails: {late:?}");

        let udf = connect();
        udf.open().unwrap();
        udf.init(averaging()).unwrap();
        let refused = udf.restore(b"garbage".to_vec());
        assert!(matches!(refused, Err(Error::RestoreRefused(_))), "{refused:?}");
        // A refusal stops a task. A new task accepts the snapshot.
        let _ = udf.close();

        let udf = connect();
        udf.open().unwrap();
        udf.init(averaging()).unwrap();
        udf.restore(taken).unwrap();
        assert_eq!(average(&*udf, 5.0), 3.0);
        udf.close().unwrap();
    });
}

#[test]
fn wrong_options_come_back_in_the_words_of_the_udf() {
    everywhere("moving_avg", mean, |connect| {
        let udf = connect();
        udf.open().unwrap();
        let refused = udf.init(options(&[("feild", "usage".into())]));
        let Err(error @ Error::InitRefused(_)) = refused else { panic!("{refused:?}") };
        assert!(error.to_string().contains("`.feild('usage')`"), "{error}");
        let _ = udf.close();
    });
}

#[test]
fn batches_come_back_whole_and_equal() {
    everywhere("outliers", large, |connect| {
        let udf = connect();
        udf.open().unwrap();
        udf.init(options(&[("field", "usage".into())])).unwrap();
        let mut sent = WholeBatch {
            name: "cpu".into(),
            group: "host=a".into(),
            tags: [("host".to_owned(), "a".to_owned())].into(),
            tmax: 9,
            ..WholeBatch::default()
        };
        let mut beyond = sent.clone();
        for (time, value) in (0..8).map(|time| (time, time as f64)).chain([(8, 1000.0)]) {
            let mut message = messages::Point::from(point(time, value).as_point());
            (message.name, message.dimensions) = (String::new(), Vec::new());
            let point = PointBuf::from(message);
            sent.points.push(&point.as_point());
            if value > 100.0 {
                beyond.points.push(&point.as_point());
            }
        }
        for _ in 0..3 {
            udf.batch_in().unwrap().send(&sent).unwrap();
            assert_eq!(udf.batch_out().unwrap().recv_timeout(TIMEOUT).unwrap(), beyond);
        }
        udf.close().unwrap();
    });
}

#[test]
fn what_is_on_its_way_at_a_stop_arrives() {
    everywhere("moving_avg", mean, |connect| {
        let udf = connect();
        udf.open().unwrap();
        udf.init(averaging()).unwrap();
        let (out, points) = (udf.point_out().unwrap(), udf.point_in().unwrap());
        let (counted, count) = channel();
        let reader = thread::spawn(move || counted.send(out.iter().count()).unwrap());
        for time in 0..5000 {
            points.send(point(time, 1.0).as_point()).unwrap();
        }
        drop(points);
        udf.close().unwrap();
        assert_eq!(count.recv_timeout(TIMEOUT), Ok(5000));
        reader.join().unwrap();
    });
}

#[test]
fn keepalives_keep_an_idle_connection_and_an_abort_ends_it() {
    // Longer than an echo takes on a busy machine.
    let timeout = Duration::from_secs(4);
    let settings = || Settings::default().timeout(timeout);
    let daemon = Program::daemon("moving_avg", &[]);
    let connections: [Box<dyn Interface>; 3] = [
        Box::new(Process::new(example("moving_avg")).settings(settings())),
        Box::new(Socket::new(daemon.socket()).settings(settings())),
        Box::new(mean().settings(settings())),
    ];
    for udf in &connections {
        udf.open().unwrap();
        udf.init(averaging()).unwrap();
    }
    // For longer than the timeout, nothing arrives except echoes of keepalives. All UDFs pause at
    // the same time.
    let mut rest = timeout + timeout / 2;
    for udf in &connections {
        let nothing = udf.point_out().unwrap().recv_timeout(std::mem::take(&mut rest));
        assert!(nothing.is_err(), "{nothing:?}");
    }
    for udf in connections {
        assert_eq!(average(&*udf, 4.0), 4.0);
        udf.abort(Error::Aborted("the task was disabled".into()));
        assert!(matches!(udf.snapshot(), Err(Error::Aborted(_))));
        let _ = udf.close();
    }
}
