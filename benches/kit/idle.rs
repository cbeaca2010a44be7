//! Measures a daemon without connections.

use std::error::Error;
use std::thread;
use std::time::Duration;

use udf_cli::bench::{Load, throughput};
use udf_host::Writes;
use udf_proto::{EdgeType, Init};

use crate::programs::Daemon;
use crate::table::{Goal, Table};

/// The duration of the measurement.
const TIME: Duration = Duration::from_secs(5);

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let daemon = Daemon::start("mirror", &[])?;
    let resident = daemon.resident()?;
    // After a connection has closed, its threads must not wake up again.
    let load = Load::new(EdgeType::Stream, Writes::Large);
    throughput(&daemon.subject(Init::default()), &load, Duration::from_millis(200))?;
    thread::sleep(Duration::from_secs(1));
    let before = daemon.wake_ups()?;
    thread::sleep(TIME);
    let rate = (daemon.wake_ups()? - before) / TIME.as_secs_f64();
    let goal = |reach| Goal::AtMost { reach, beyond: f64::NAN };
    table.row("wake-ups of an idle daemon", rate, "a second", goal(0.0));
    table.row("memory of an idle daemon", resident / f64::from(1 << 20), "MiB", goal(4.0));
    let after = daemon.resident()? / f64::from(1 << 20);
    println!("    {after:.2} MiB after a busy connection has closed");
    Ok(())
}
