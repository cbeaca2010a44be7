//! The metrics of a daemon, and the requests that its address receives.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;
use udf_proto::Init;
use udf_proto::messages::InitRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::metrics::{ask, connect, scrape, wait_for};
use udf_tests::program::{Program, TIMEOUT, Transport, example};

use crate::subject::{echo, init};
use crate::{SOCKET, cases};

cases! {
    metrics_that_are_asked_for, SOCKET, "The counts of the connections are served on loopback, open ones and ended ones.";
    a_query_for_the_metrics, SOCKET, "A query after the path is ignored, HEAD is answered without a body, and another path or method is refused.";
    garbage_for_the_metrics, SOCKET, "Garbage at the address of the metrics does not affect the connections.";
    silent_scrapers, SOCKET, "Scrapers that send nothing, or half a request, delay neither another scraper nor the UDF.";
    probes_of_the_metrics, SOCKET, "A thousand connections that are closed at once do not delay a scraper.";
    scrapers_that_come_and_go, SOCKET, "Scrapers of any kind leave no thread, descriptor or memory behind.";
    names_of_a_megabyte, SOCKET, "Names of tasks and nodes are cut and escaped in the metrics; names that begin alike stay apart.";
    refused_connections, SOCKET, "Refused connections are counted by their reason.";
}

/// Starts a daemon with metrics. Returns the address of the metrics.
pub(crate) fn measured(args: &[&str]) -> (Program, SocketAddr, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("udf.sock");
    let mut command = Command::new(example("mirror"));
    command.args(args).args(["--metrics", "0", "--socket"]).arg(&path).stdin(Stdio::null());
    let program = Program::spawn(&mut command).at(&path);
    let address = program.metrics();
    program.wait_for_log("listens on");
    (program, address, directory)
}

fn metrics_that_are_asked_for(_: Transport) {
    let (program, address, _directory) = measured(&[]);
    assert!(address.ip().is_loopback(), "{address}");
    let mut connection = program.connect();
    init(&mut connection, &[]);
    for time in 0..5 {
        echo(&mut connection, time);
    }
    let count = "udf_points_sent_total{task=\"task\",node=\"node\"} 5";
    let said = wait_for(address, count);
    let series: Vec<_> = said.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    let names: BTreeSet<_> = series.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), series.len(), "a scrape with a series twice is refused: {said}");
    wait_for(address, "udf_connections_open 1");
    connection.end_input();
    assert_eq!(connection.rest(), []);
    program.wait_for_log("points_in=5 points_out=5");
    wait_for(address, "udf_connections_open 0");
    wait_for(address, count);
}

fn a_query_for_the_metrics(_: Transport) {
    let (_program, address, _directory) = measured(&[]);
    let said = ask(address, "GET /metrics?x=1 HTTP/1.1\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.contains("udf_connections"), "{said}");
    let said = ask(address, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\r\n\r\n"), "{said}");
    let said = ask(address, "GET /other HTTP/1.0\r\n\r\n");
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    let said = ask(address, "PUT /metrics HTTP/1.1\r\n\r\n");
    assert!(
        said.starts_with("HTTP/1.1 405 ") && said.contains("\r\nAllow: GET, HEAD\r\n"),
        "{said}"
    );
}

fn garbage_for_the_metrics(_: Transport) {
    let (program, address, _directory) = measured(&[]);
    let mut connection = program.connect();
    init(&mut connection, &[]);
    // One scraper sends nothing, one sends garbage, one sends too much.
    let _silent = connect(address);
    for garbage in [&b"\0\xff\r\n\r\n"[..], &[b'x'; 1 << 20]] {
        let mut stream = connect(address);
        // The daemon may have closed the connection already.
        let _ = stream.write_all(garbage);
        echo(&mut connection, 1);
    }
    assert!(scrape(address).contains("udf_points_sent_total"));
    echo(&mut connection, 2);
}

fn silent_scrapers(_: Transport) {
    let (program, address, _directory) = measured(&[]);
    let mut connection = program.connect();
    init(&mut connection, &[]);
    // Served one after the other, they would exceed the timeout of the test.
    let others: Vec<_> = (0..60)
        .map(|number| {
            let mut stream = connect(address);
            if number % 2 == 0 {
                stream
                    .write_all(b"GET /metrics HTTP/1.1\r\nHost: lo")
                    .expect("the other side reads");
            }
            stream
        })
        .collect();
    for time in 0..20 {
        assert!(scrape(address).contains("udf_points_sent_total"));
        echo(&mut connection, time);
    }
    // All connections are closed in the end.
    for mut stream in others {
        let mut said = Vec::new();
        // Closing a connection with unread input is a reset.
        let _ = stream.read_to_end(&mut said);
        assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
}

fn probes_of_the_metrics(_: Transport) {
    let (_program, address, _directory) = measured(&[]);
    let begun = Instant::now();
    (0..1000).for_each(|_| drop(connect(address)));
    assert!(scrape(address).contains("udf_points_sent_total"));
    // Far more than necessary, and less than a pause per connection would take.
    assert!(begun.elapsed() < TIMEOUT, "{:?}", begun.elapsed());
}

fn scrapers_that_come_and_go(_: Transport) {
    let (program, address, _directory) = measured(&[]);
    crate::crowds::leaves_nothing(&program, |_| {
        let _ = scrape(address);
        drop(connect(address));
        let mut hasty = connect(address);
        hasty.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("the other side reads");
        drop(hasty);
        // Connections are accepted in order, so that the daemon has seen the others.
        let _ = scrape(address);
    });
}

fn names_of_a_megabyte(_: Transport) {
    let (program, address, _directory) = measured(&[]);
    let long = format!("{}\u{1b}[2J\r\n\u{7f}{}", "a".repeat(90), "b".repeat(1_000_000));
    let open: Vec<_> = ["1", "2"]
        .map(|end| {
            let mut connection = program.connect();
            let init =
                Init { options: vec![], task_id: format!("{long}{end}"), node_id: "\"\\".into() };
            connection.ask(Ask::Init(InitRequest::from(init)));
            assert!(matches!(connection.answer(), Answer::Init(init) if init.success));
            echo(&mut connection, 1);
            connection
        })
        .into();
    let said = wait_for(address, "udf_connections_open 2");
    assert!(said.len() < 32 << 10, "{} bytes", said.len());
    let is_stray = |char: char| char.is_control() && !matches!(char, '\r' | '\n');
    assert!(!said.contains(is_stray), "{said:?}");
    let name = "udf_points_received_total{task=\"aaa";
    let series: Vec<_> = said.lines().filter(|line| line.starts_with(name)).collect();
    assert_eq!(series.len(), 2, "{series:?}");
    let [(first, one), (second, other)] =
        [series[0], series[1]].map(|line| line.rsplit_once(' ').expect("a value"));
    assert!(first != second && (one, other) == ("1", "1"), "{series:?}");
    assert!(first.ends_with(",node=\"\\\"\\\\\"}"), "{first}");
    drop(open);
}

fn refused_connections(_: Transport) {
    let (program, address, _directory) = measured(&["--max-connections", "1"]);
    wait_for(address, "udf_connections_refused_total{reason=\"limit\"} 0");
    let mut connection = program.connect();
    init(&mut connection, &[]);
    for _ in 0..3 {
        assert!(matches!(program.connect().answer(), Answer::Error(_)));
    }
    wait_for(address, "udf_connections_refused_total{reason=\"limit\"} 3");
    echo(&mut connection, 1);
    let (program, address, _directory) = measured(&["--allow-uid", "4000000000"]);
    assert!(matches!(program.connect().answer(), Answer::Error(_)));
    wait_for(address, "udf_connections_refused_total{reason=\"user\"} 1");
}
