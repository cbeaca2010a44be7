//! Exchanges frames with the example programs over pipes and over a socket, as Kapacitor does.

use std::collections::BTreeMap;

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    InfoRequest, InfoResponse, KeepaliveRequest, KeepaliveResponse, OptionInfo, Point,
    RestoreRequest, SnapshotRequest,
};
use udf_tests::batch::{batch_point, begin, end};
use udf_tests::program::{Connection, Program, Transport};

const BOTH: [Transport; 2] = [Transport::Pipe, Transport::Socket];

fn stream_point(time: i64, host: &str, value: f64) -> Point {
    Point {
        time,
        name: "cpu".into(),
        database: "telegraf".into(),
        retention_policy: "autogen".into(),
        group: format!("host={host}"),
        dimensions: vec!["host".into()],
        tags: BTreeMap::from([("host".into(), host.into())]),
        fields_double: BTreeMap::from([("usage".into(), value)]),
        ..Default::default()
    }
}

fn started(
    name: &str,
    transport: Transport,
    options: &[(&str, &[Value])],
) -> (Program, Connection) {
    let (program, mut connection) = Connection::open(name, transport);
    match connection.init(options) {
        Answer::Init(init) => assert!(init.success, "{}", init.error),
        other => panic!("not an answer to Init: {other:?}"),
    }
    (program, connection)
}

/// Ends the input, reads the remaining answers, and checks that the program has succeeded.
fn finish(mut program: Program, mut connection: Connection, transport: Transport) -> Vec<Answer> {
    connection.end_input();
    let rest = connection.rest();
    if transport == Transport::Socket {
        program.signal("TERM");
    }
    assert!(program.wait().success());
    rest
}

fn info_of(name: &str) -> InfoResponse {
    let (program, mut connection) = Connection::open(name, Transport::Pipe);
    connection.ask(Ask::Info(InfoRequest {}));
    let Answer::Info(info) = connection.answer() else { panic!("not an info") };
    assert!(finish(program, connection, Transport::Pipe).is_empty());
    info
}

#[test]
fn each_example_says_what_it_is() {
    let types = |types: &[i32]| OptionInfo { value_types: types.to_vec() };
    let mirror = InfoResponse { wants: 0, provides: 0, options: BTreeMap::new() };
    assert_eq!(info_of("mirror"), mirror);
    let options = BTreeMap::from([
        ("field".to_owned(), types(&[3])),
        ("size".to_owned(), types(&[1])),
        ("as".to_owned(), types(&[3])),
    ]);
    assert_eq!(info_of("moving_avg"), InfoResponse { wants: 0, provides: 0, options });
    let options =
        BTreeMap::from([("field".to_owned(), types(&[3])), ("scale".to_owned(), types(&[2]))]);
    assert_eq!(info_of("outliers"), InfoResponse { wants: 1, provides: 1, options });
}

#[test]
fn the_very_bytes_of_kapacitor_are_answered() {
    // A stream task with `@mirror()` as bytes: Init, a keepalive, a point.
    let init = b"\x0e\x12\x0c\x12\x04task\x1a\x04udf\x32";
    let keepalive = b"\x0c\x1a\x0a\x08\x80\x80\x84\xdd\xaa\xb9\xa7\x8f\x18";
    let point =
        b"\x50\x8a\x01\x4d\x08\x80\x80\x84\xdd\xaa\xb9\xa7\x8f\x18\x12\x03cpu\x1a\x08telegraf\
        \x22\x07autogen\x2a\x06host=a\x32\x04host\x3a\x09\x0a\x04host\x12\x01a\x42\x10\x0a\
        \x05usage\x11\x00\x00\x00\x00\x00\x00\xf8\x3f";
    for transport in BOTH {
        let (program, mut connection) = Connection::open("mirror", transport);
        for message in [&init[..], keepalive, point] {
            connection.send(&message[..1]).unwrap();
            connection.send(&message[1..]).unwrap();
        }
        assert!(matches!(connection.answer(), Answer::Init(init) if init.success));
        let time = 1_738_000_000_000_000_000;
        assert_eq!(connection.answer(), Answer::Keepalive(KeepaliveResponse { time }));
        assert_eq!(connection.answer(), Answer::Point(stream_point(time, "a", 1.5)));
        assert!(finish(program, connection, transport).is_empty());
    }
}

#[test]
fn mirror_sends_every_point_back_unchanged() {
    for transport in BOTH {
        let (program, mut connection) = started("mirror", transport, &[]);
        let points: Vec<_> = (0..2000).map(|i| stream_point(i, "a", i as f64)).collect();
        for point in &points {
            connection.ask(Ask::Point(point.clone()));
        }
        let rest = finish(program, connection, transport);
        let expected: Vec<_> = points.into_iter().map(Answer::Point).collect();
        assert!(rest == expected, "{} of {} points", rest.len(), expected.len());
    }
}

const AVERAGE_OF_3: [(&str, &[Value]); 2] =
    [("field", &[Value::String(String::new())]), ("size", &[Value::Int(3)])];

fn average_of_3() -> Vec<(&'static str, Vec<Value>)> {
    let mut options: Vec<_> =
        AVERAGE_OF_3.iter().map(|(name, values)| (*name, values.to_vec())).collect();
    options[0].1 = vec![Value::from("usage")];
    options
}

fn moving_avg(transport: Transport) -> (Program, Connection) {
    let options = average_of_3();
    let options: Vec<_> = options.iter().map(|(name, values)| (*name, &values[..])).collect();
    started("moving_avg", transport, &options)
}

fn average(point: &Answer) -> f64 {
    match point {
        Answer::Point(point) => {
            assert_eq!(point.fields_double.len(), 1, "`avg` is the only field");
            assert!(point.fields_int.is_empty() && point.fields_string.is_empty());
            point.fields_double["avg"]
        }
        other => panic!("not a point: {other:?}"),
    }
}

#[test]
fn moving_avg_averages_each_group_on_its_own() {
    for transport in BOTH {
        let (program, mut connection) = moving_avg(transport);
        for (i, (host, value)) in
            [("a", 1.0), ("a", 2.0), ("b", 10.0), ("a", 6.0), ("a", 10.0), ("b", 20.0)]
                .into_iter()
                .enumerate()
        {
            connection.ask(Ask::Point(stream_point(i as i64, host, value)));
        }
        // An integer counts like a float. Text and a missing field do not count.
        let mut integer = stream_point(6, "b", 0.0);
        integer.fields_double.clear();
        integer.fields_int.insert("usage".into(), 30);
        connection.ask(Ask::Point(integer));
        let mut text = stream_point(7, "b", 0.0);
        text.fields_double.clear();
        text.fields_string.insert("usage".into(), "much".into());
        connection.ask(Ask::Point(text));
        connection.ask(Ask::Keepalive(KeepaliveRequest { time: 5 }));
        let rest = finish(program, connection, transport);
        let averages: Vec<_> = rest[..7].iter().map(average).collect();
        assert_eq!(averages, [1.0, 1.5, 10.0, 3.0, 6.0, 15.0, 20.0]);
        assert_eq!(rest[7..], [Answer::Keepalive(KeepaliveResponse { time: 5 })]);
        // Everything except the fields is unchanged.
        let Answer::Point(first) = &rest[0] else { panic!("not a point") };
        let mut expected = stream_point(0, "a", 0.0);
        expected.fields_double = BTreeMap::from([("avg".into(), 1.0)]);
        assert_eq!(*first, expected);
    }
}

#[test]
fn moving_avg_goes_on_from_its_snapshot_exactly() {
    for transport in BOTH {
        let values = [0.1, 0.2, 0.3, 1e300, -1e-300, f64::MIN_POSITIVE, 7.7];
        let feed = |connection: &mut Connection, from: usize, to: usize| -> Vec<u64> {
            (from..to)
                .map(|i| {
                    let point = stream_point(i as i64, "a", values[i]);
                    connection.ask(Ask::Point(point));
                    average(&connection.answer()).to_bits()
                })
                .collect()
        };
        let (program, mut connection) = moving_avg(transport);
        let mut whole = feed(&mut connection, 0, 4);
        connection.ask(Ask::Snapshot(SnapshotRequest {}));
        let Answer::Snapshot(taken) = connection.answer() else { panic!("not a snapshot") };
        whole.extend(feed(&mut connection, 4, 7));
        finish(program, connection, transport);

        let (program, mut connection) = moving_avg(transport);
        connection.ask(Ask::Restore(RestoreRequest { snapshot: taken.snapshot.clone() }));
        assert!(matches!(connection.answer(), Answer::Restore(restore) if restore.success));
        // An invalid snapshot is refused and changes nothing.
        for garbled in [&b"garbage"[..], &taken.snapshot[..taken.snapshot.len() - 1]] {
            connection.ask(Ask::Restore(RestoreRequest { snapshot: garbled.to_vec() }));
            let Answer::Restore(refused) = connection.answer() else { panic!("not a restore") };
            assert!(!refused.success && refused.error.contains("snapshot"), "{}", refused.error);
        }
        assert_eq!(feed(&mut connection, 4, 7), whole[4..]);
        finish(program, connection, transport);
    }
}

#[test]
fn outliers_sends_on_what_lies_beyond_the_fences() {
    for transport in BOTH {
        let field = [Value::from("usage")];
        let (program, mut connection) = started("outliers", transport, &[("field", &field)]);
        // Quartiles 3.25 and 7.75 with linear interpolation: fences at -3.5 and 14.5.
        let values = [1.0, 100.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, -3.5, 8.0, 14.5, -50.0];
        // The size is a hint. A wrong size must do no harm.
        connection.ask(Ask::Begin(begin(i64::MAX)));
        for (i, value) in values.into_iter().enumerate() {
            connection.ask(Ask::Point(batch_point(i as i64, value)));
        }
        connection.ask(Ask::End(end(99)));
        // An empty batch stays an empty batch.
        connection.ask(Ask::Begin(begin(0)));
        connection.ask(Ask::End(end(100)));
        let rest = finish(program, connection, transport);
        let expected = [
            Answer::Begin(begin(2)),
            Answer::Point(batch_point(1, 100.0)),
            Answer::Point(batch_point(11, -50.0)),
            Answer::End(end(99)),
            Answer::Begin(begin(0)),
            Answer::End(end(100)),
        ];
        assert_eq!(rest, expected);
    }
}

#[test]
fn wrong_options_are_refused_in_one_message_and_the_connection_lives_on() {
    for transport in BOTH {
        let (program, mut connection) = Connection::open("moving_avg", transport);
        let wrong: [(&str, &[Value]); 2] =
            [("feild", &["usage".into()]), ("size", &[Value::Int(0)])];
        let Answer::Init(refused) = connection.init(&wrong) else { panic!("not an init") };
        assert!(!refused.success);
        for part in ["feild", ".field", ".size", "at least 1"] {
            assert!(refused.error.contains(part), "`{part}` is not in: {}", refused.error);
        }
        let options = average_of_3();
        let options: Vec<_> = options.iter().map(|(name, values)| (*name, &values[..])).collect();
        assert!(matches!(connection.init(&options), Answer::Init(init) if init.success));
        finish(program, connection, transport);
    }
}

#[test]
fn what_fails_is_told_and_named_in_the_log_with_its_task() {
    let (mut program, mut connection) = started("mirror", Transport::Pipe, &[]);
    connection.ask(Ask::Point(stream_point(1, "a", 1.0)));
    connection.ask(Ask::Begin(begin(1)));
    let rest = connection.rest();
    assert_eq!(rest[0], Answer::Point(stream_point(1, "a", 1.0)));
    let Some(Answer::Error(error)) = rest.last() else { panic!("not an error: {rest:?}") };
    assert_eq!(error.error, "unexpected begin of a batch: this UDF reads a stream, not batches");
    connection.end_input();
    let log = program.rest_of_log().join("\n");
    assert_eq!(log.lines().last().unwrap_or_default(), format!("error: {}", error.error), "{log}");
    assert_eq!(program.wait().code(), Some(1));
}
