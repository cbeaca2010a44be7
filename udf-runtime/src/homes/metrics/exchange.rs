//! One HTTP request and its response, in pieces of any size.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::PollFlags;

use super::Limits;
use super::page::Page;

/// The maximum size of the head of a request in bytes.
const MAX_HEAD: usize = 8 << 10;

/// A scraper's connection, from its acceptance to its end.
pub(super) struct Exchange {
    stream: TcpStream,
    phase: Phase,
    /// The deadline of the present phase.
    pub(super) deadline: Instant,
}

enum Phase {
    Request(Vec<u8>),
    Response {
        head: Vec<u8>,
        body: Arc<String>,
        written: usize,
    },
    /// The response is written. Closing the connection while input arrives would discard a response
    /// that the peer has not read.
    Closing,
}

impl Exchange {
    /// Creates the exchange of a new connection.
    pub(super) fn new(stream: TcpStream, limits: &Limits) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // Head and body are two writes; do not delay the second one.
        stream.set_nodelay(true)?;
        let deadline = Instant::now() + limits.request;
        Ok(Exchange { stream, phase: Phase::Request(Vec::new()), deadline })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Returns the events that the exchange waits for.
    pub(super) fn events(&self) -> PollFlags {
        match self.phase {
            Phase::Response { .. } => PollFlags::OUT,
            Phase::Request(_) | Phase::Closing => PollFlags::IN,
        }
    }

    /// Continues as far as possible with one read and one write, without blocking. Returns whether
    /// the connection stays open.
    pub(super) fn go_on(&mut self, page: &mut Page, limits: &Limits) -> bool {
        match self.step(page, limits) {
            Ok(is_open) => is_open,
            Err(error) => {
                matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
            }
        }
    }

    fn step(&mut self, page: &mut Page, limits: &Limits) -> io::Result<bool> {
        let mut chunk = [0; 1024];
        if let Phase::Request(head) = &mut self.phase {
            let read = self.stream.read(&mut chunk)?;
            head.extend_from_slice(&chunk[..read]);
            if let Some(request) = Request::parse(head) {
                let now = Instant::now();
                self.phase = request.response(page, now);
                self.deadline = now + limits.response;
            } else if read == 0 {
                return Ok(false);
            }
        }
        if let Phase::Response { head, body, written } = &mut self.phase {
            let body_written = written.saturating_sub(head.len());
            let rest = match &head[(*written).min(head.len())..] {
                [] => &body.as_bytes()[body_written..],
                rest => rest,
            };
            *written += self.stream.write(rest)?;
            if *written == head.len() + body.len() {
                self.stream.shutdown(Shutdown::Write)?;
                self.phase = Phase::Closing;
                self.deadline = Instant::now() + limits.request;
            }
            return Ok(true);
        }
        if let Phase::Closing = self.phase {
            return Ok(self.stream.read(&mut chunk)? > 0);
        }
        Ok(true)
    }
}

/// The relevant part of the head of a request.
struct Request {
    status: Status,
    wants_body: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    NotFound,
    MethodNotAllowed,
    HeadTooLarge,
}

impl Request {
    /// Parses the head. Returns `None` if the head is incomplete.
    fn parse(head: &[u8]) -> Option<Request> {
        // Old clients and manual requests may end lines with a bare line feed.
        let is_whole = head.windows(2).any(|end| end == b"\n\n")
            || head.windows(3).any(|end| end == b"\n\r\n");
        if !is_whole {
            let too_large = Request { status: Status::HeadTooLarge, wants_body: true };
            return (head.len() > MAX_HEAD).then_some(too_large);
        }
        let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let status = match (method, path) {
            (b"GET" | b"HEAD", b"/metrics" | b"/") => Status::Ok,
            (b"GET" | b"HEAD", _) => Status::NotFound,
            _ => Status::MethodNotAllowed,
        };
        Some(Request { status, wants_body: method != b"HEAD" })
    }

    fn response(&self, page: &mut Page, now: Instant) -> Phase {
        let fixed = |text: &str| Arc::new(text.to_owned());
        let (status, headers, body) = match self.status {
            Status::Ok => ("200 OK", "", page.text(now)),
            Status::NotFound => ("404 Not Found", "", fixed("the metrics are at /metrics\n")),
            Status::MethodNotAllowed => {
                ("405 Method Not Allowed", "Allow: GET, HEAD\r\n", fixed("GET /metrics\n"))
            }
            Status::HeadTooLarge => {
                let text = format!("the head of a request has at most {MAX_HEAD} bytes\n");
                ("431 Request Header Fields Too Large", "", Arc::new(text))
            }
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {length}\r\n{headers}Connection: close\r\n\r\n"
        );
        let body = if self.wants_body { body } else { Arc::default() };
        Phase::Response { head: head.into_bytes(), body, written: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Option<(Status, bool)> {
        Request::parse(head.as_bytes()).map(|request| (request.status, request.wants_body))
    }

    #[test]
    fn requests_are_told_by_their_method_and_path() {
        for (line, status, wants_body) in [
            ("GET /metrics HTTP/1.1", Status::Ok, true),
            ("GET /metrics HTTP/1.0", Status::Ok, true),
            ("GET / HTTP/1.1", Status::Ok, true),
            ("GET /metrics?x=1 HTTP/1.1", Status::Ok, true),
            ("GET /?a=/b HTTP/1.1", Status::Ok, true),
            ("HEAD /metrics HTTP/1.1", Status::Ok, false),
            ("HEAD /other HTTP/1.1", Status::NotFound, false),
            ("GET /metrics/ HTTP/1.1", Status::NotFound, true),
            ("GET /other?/metrics HTTP/1.1", Status::NotFound, true),
            ("GET", Status::NotFound, true),
            ("POST /metrics HTTP/1.1", Status::MethodNotAllowed, true),
            ("get /metrics HTTP/1.1", Status::MethodNotAllowed, true),
            ("\0\u{7f}", Status::MethodNotAllowed, true),
            ("", Status::MethodNotAllowed, true),
        ] {
            for end in ["\r\n\r\n", "\n\n", "\r\nHost: localhost\r\n\r\n"] {
                assert_eq!(
                    parse(&format!("{line}{end}")),
                    Some((status, wants_body)),
                    "{line}{end}"
                );
            }
            assert_eq!(parse(line), None, "{line}");
            assert_eq!(parse(&format!("{line}\r\nHost: a\r\n")), None, "{line}");
        }
    }

    #[test]
    fn a_head_has_an_end() {
        let head = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(MAX_HEAD));
        assert_eq!(parse(&head[..MAX_HEAD]), None);
        assert_eq!(parse(&head), Some((Status::HeadTooLarge, true)));
    }
}
