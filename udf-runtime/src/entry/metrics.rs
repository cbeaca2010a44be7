//! Serves the counts of a daemon over HTTP, for Prometheus to scrape.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Metrics;

/// A scraper that takes longer is not served: they are served one by one.
const PATIENCE: Duration = Duration::from_secs(2);

/// The head of a request is not longer.
const MAX_HEAD: usize = 8 << 10;

/// Serves `metrics` at `address` for as long as the process lives; returns where that is.
pub(super) fn serve(address: SocketAddr, metrics: Metrics) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            let served = stream.and_then(|stream| answer(&stream, &metrics));
            if let Err(error) = served {
                tracing::debug!("a scraper was not served: {error}");
                // Out of descriptors, accepting fails at once, again and again.
                thread::sleep(Duration::from_millis(50));
            }
        }
    })?;
    Ok(address)
}

fn answer(mut stream: &TcpStream, metrics: &Metrics) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = read_head(stream)?;
    let (status, body) = match head.split(|byte| *byte == b' ').collect::<Vec<_>>()[..] {
        [b"GET", b"/metrics" | b"/", ..] => ("200 OK", metrics.to_prometheus()),
        [b"GET", ..] => ("404 Not Found", "the metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "GET /metrics\n".to_owned()),
    };
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes())
}

/// The first line of a request; the lines behind it are read and forgotten.
fn read_head(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no request came in time"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    let line = head.iter().position(|byte| *byte == b'\r').unwrap_or(head.len());
    head.truncate(line);
    Ok(head)
}
