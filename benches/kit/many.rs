//! Measures a daemon with 1,000 connections, one of which is busy.

use std::error::Error;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use udf_cli::bench::{Load, throughput};
use udf_host::Writes;
use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::{EdgeType, Init};

use crate::programs::Daemon;
use crate::table::{Goal, Table, median};
use crate::wire::send;

const CONNECTIONS: usize = 1000;
const ROUNDS: usize = 9;
const TIME: Duration = Duration::from_millis(800);

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;

    // Two daemons, so that the lone one has never had more than one connection.
    let (daemon, lone) = (Daemon::start("mirror", &[])?, Daemon::start("mirror", &[])?);
    let before = daemon.resident()?;
    let open: Vec<UnixStream> =
        (0..CONNECTIONS).map(|_| started(&daemon)).collect::<Result<_, _>>()?;
    let each = (daemon.resident()? - before) / CONNECTIONS as f64 / 1024.0;

    let load = Load::new(EdgeType::Stream, Writes::Large);
    let (among, alone) = (daemon.subject(Init::default()), lone.subject(Init::default()));
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let alone = throughput(&alone, &load, TIME)?.points_per_second_in();
        ratios.push(throughput(&among, &load, TIME)?.points_per_second_in() / alone);
    }
    drop(open);
    let goal = Goal::AtMost { reach: 24.0, beyond: 16.0 };
    table.row("memory of each of 1,000 connections", each, "KiB", goal);
    let goal = Goal::AtLeast { reach: 0.9, beyond: f64::NAN };
    table.row("speed of a busy one among 1,000", median(ratios), "of its lone speed", goal);
    Ok(())
}

/// Opens a connection and starts its UDF.
fn started(daemon: &Daemon) -> Result<UnixStream, Box<dyn Error>> {
    let mut stream = UnixStream::connect(daemon.socket())?;
    send(&mut stream, Ask::Init(Init::default().into()))?;
    FrameReader::new(&stream).next_frame()?.ok_or("a connection was not accepted")?;
    Ok(stream)
}
