//! Short measurements: every report has numbers, and they describe the measured UDF.

use std::time::Duration;

use udf_cli::bench::{
    BenchError, BenchSettings, LatencyOf, Load, Subject, answers, compare, latency, run, throughput,
};
use udf_cli::{Target, Transport};
use udf_host::Writes;
use udf_proto::{EdgeType, Init};
use udf_tests::program::{Program, example};

const SHORT: Duration = Duration::from_millis(50);

fn peer(fault: &str) -> Target {
    Target::Program { program: env!("CARGO_BIN_EXE_faulty_peer").into(), args: vec![fault.into()] }
}

fn mirror() -> Subject {
    Subject::udf(Target::program(example("mirror")), Init::default())
}

#[test]
fn all_that_is_sent_to_a_mirror_comes_back() {
    for writes in [Writes::Kapacitor, Writes::Large] {
        let load = Load::new(EdgeType::Stream, writes).connections(2);
        let flow = throughput(&mirror(), &load, SHORT).expect("a measurement");
        assert!(flow.points_in > 0);
        assert_eq!(flow.points_in, flow.points_out, "{writes:?}");
        assert_eq!(flow.bytes_in, 262 * flow.points_in);
        assert!(flow.elapsed >= SHORT && flow.points_per_second_in() > 0.0);
        assert!(flow.cpu.is_some() && flow.peak_memory.is_some_and(|peak| peak > 100_000));
    }
}

#[test]
fn an_echo_echoes_over_each_transport() {
    for transport in [Transport::Pipe, Transport::Socket] {
        for edge in [EdgeType::Stream, EdgeType::Batch] {
            let load = Load::new(edge, Writes::Large);
            let echo = Subject::Echo(transport);
            let flow = throughput(&echo, &load, SHORT).expect("a measurement");
            assert_eq!(flow.points_in, flow.points_out);
            let of = answers(&echo, &load).expect("the other side answers");
            let expected =
                if edge == EdgeType::Stream { LatencyOf::Point } else { LatencyOf::Batch };
            assert_eq!(of, expected);
            let trips = latency(&echo, &load, SHORT, of).expect("a measurement");
            assert!(trips.samples.is_sorted());
            let found = trips.percentiles().expect("there are some");
            assert!(0.0 < found.p50 && found.p50 <= found.p99 && found.p99 <= found.max);
        }
    }
}

#[test]
fn a_batch_that_no_pipe_holds_is_read_while_it_is_written() {
    let load = Load::new(EdgeType::Batch, Writes::Large).batch(2000);
    let trips = latency(&Subject::Echo(Transport::Pipe), &load, SHORT, LatencyOf::Batch);
    assert!(!trips.expect("a measurement").samples.is_empty());
}

#[test]
fn a_udf_and_its_echo_are_compared() {
    let row = compare(
        &mirror(),
        &Load::new(EdgeType::Stream, Writes::Large),
        2,
        SHORT,
        None,
        &mut |_| {},
    );
    let row = row.expect("a measurement");
    assert!(row.ratio_to_echo > 0.0 && row.echo_points_per_second > 0.0, "{row:?}");
    assert_eq!(row.latency_of, LatencyOf::Point);
}

#[test]
fn batches_are_measured_over_a_socket() {
    let daemon = Program::daemon("outliers", &[]);
    let target = Target::Socket(daemon.socket().to_owned());
    let settings = BenchSettings::default()
        .options(["field=temperature"])
        .connections(2)
        .batch(10)
        .rounds(1)
        .time(8 * SHORT);
    let mut steps = 0;
    let report = run(&target, &settings, &mut |_| steps += 1).expect("a report");
    assert_eq!((steps, report.rows.len(), report.batch_points), (4, 4, Some(10)));
    for row in &report.rows {
        // The process of a daemon is found through its socket.
        assert!(row.peak_memory_bytes.is_some(), "{row:?}");
        assert!(
            row.points_per_second_out < row.points_per_second_in,
            "the UDF sends only outliers"
        );
        assert_eq!(row.latency_of, LatencyOf::Batch);
    }
    let text = report.to_text();
    assert!(text.starts_with("udf over a socket: batches of 10 points, "), "{text}");
}

#[test]
fn a_udf_that_answers_no_point_is_measured_by_keepalives() {
    // The UDF keeps its points until another request arrives.
    let report = run(&peer("drops_at_end"), &short(&["field=x"]), &mut |_| {}).expect("a report");
    assert_eq!(report.rows[0].latency_of, LatencyOf::Keepalive);
    assert!(report.rows[0].latency_us.p50 > 0.0);
    assert!(report.to_text().contains("data and a keepalive, until its echo"));
}

fn short(options: &[&str]) -> BenchSettings {
    BenchSettings::default().options(options.iter().copied()).rounds(1).time(4 * SHORT)
}

#[test]
fn what_goes_wrong_is_named() {
    let error = |fault: &str, options: &[&str]| {
        run(&peer(fault), &short(options), &mut |_| {}).expect_err("it fails").to_string()
    };
    assert!(error("refuses_all", &["field=x"]).contains("refused its options: not today"));
    assert_eq!(error("error_on_data", &["field=x"]), "the UDF failed: the moon is full");
    let died = error("dies_on_data", &["field=x"]);
    assert!(
        died.starts_with("the UDF closed its output during the measurement (exit status: "),
        "{died}"
    );
    assert!(died.ends_with("); it wrote to stderr: index out of range"), "{died}");
    assert!(
        error("prints_at_point", &["field=x"])
            .contains("it printed text where only protocol frames may go: `point number 3")
    );
    assert!(error("none", &["feild=x"]).contains("did you mean `field`?"));
    let missing = run(&Target::program("/no/such"), &short(&[]), &mut |_| {});
    assert!(matches!(missing, Err(BenchError::Udf(_))));
}

/// The first process to start lives on and only logs a line. The others exit after Init.
const ONE_THAT_LIVES: &str = "
    started='printf \\004\\022\\002\\010\\001'
    if mkdir \"$0\" 2>/dev/null; then
        echo I am well >&2
        $started
        cat >/dev/null
        exit
    fi
    echo out of luck >&2
    $started
    exit 3";

#[test]
fn the_connection_that_closes_is_the_one_that_is_blamed() {
    let load = Load::new(EdgeType::Stream, Writes::Large).connections(2);
    let error = |measure: fn(&Subject, &Load) -> Option<BenchError>| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let args = vec!["-c".into(), ONE_THAT_LIVES.into(), directory.path().join("first").into()];
        let target = Target::Program { program: "sh".into(), args };
        let error = measure(&Subject::udf(target, Init::default()), &load);
        error.expect("it closes its output").to_string()
    };
    let flow = error(|subject, load| throughput(subject, load, SHORT).err());
    let trips = error(|subject, load| latency(subject, load, SHORT, LatencyOf::Point).err());
    for error in [flow, trips] {
        let expected = "the UDF closed its output during the measurement (exit status: 3); \
                        it wrote to stderr: out of luck";
        assert_eq!(error, expected);
    }
}
