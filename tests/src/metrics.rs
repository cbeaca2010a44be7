//! The metrics that a program serves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::program::{TIMEOUT, wait_until};

/// Connects to the address of the metrics.
///
/// # Panics
/// If they are not served.
#[must_use]
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the metrics are served");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
    stream
}

/// Sends a request, and returns all that the program answers.
///
/// # Panics
/// If the program does not answer.
#[must_use]
pub fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(head.as_bytes()).expect("the other side reads");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("the other side answers");
    said
}

/// Scrapes the metrics as Prometheus does.
///
/// # Panics
/// If the program does not answer.
#[must_use]
pub fn scrape(address: SocketAddr) -> String {
    ask(address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Scrapes until the metrics contain `line`. A daemon notes the end of a connection, and the counts
/// of an open one, some time after the other side sees them.
///
/// # Panics
/// If the line does not appear in time.
#[track_caller]
pub fn wait_for(address: SocketAddr, line: &str) -> String {
    let mut said = String::new();
    wait_until(&format!("the metrics have the line `{line}`"), || {
        said = scrape(address);
        said.lines().any(|found| found == line)
    });
    said
}
