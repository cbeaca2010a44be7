//! One HTTP request and its response, within limits of size and time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The maximum size of the head of a request in bytes.
pub(crate) const MAX_HEAD: usize = 16 << 10;

/// The maximum number of headers of a request.
const MAX_HEADERS: usize = 64;

/// The maximum size of the body of a request in bytes.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// The time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The time limit for the whole request to arrive.
    pub(crate) request: Duration,
    /// The time limit for the whole response to be read.
    pub(crate) response: Duration,
    /// The time limit for the peer to close the connection after the response.
    pub(crate) close: Duration,
}

pub(crate) const LIMITS: Limits = Limits {
    request: Duration::from_secs(10),
    response: Duration::from_secs(60),
    close: Duration::from_secs(2),
};

/// The head of a request.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// The path, without a query.
    pub(crate) path: String,
    pub(crate) host: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) content_type: Option<String>,
    /// The length of the body.
    pub(crate) length: Option<usize>,
}

/// The status and the content of a response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: &'static str,
    pub(crate) content_type: &'static str,
    /// More headers, each with its line end.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Creates a response with a line of text, such as an error.
    pub(crate) fn text(status: &'static str, text: &str) -> Self {
        Response {
            status,
            content_type: "text/plain; charset=utf-8",
            headers: String::new(),
            body: format!("{text}\n").into_bytes(),
        }
    }

    /// Creates a response with a JSON document.
    pub(crate) fn json(body: Vec<u8>) -> Self {
        Response {
            status: "200 OK",
            content_type: "application/json",
            headers: String::new(),
            body,
        }
    }
}

/// Returns content as a JSON document.
pub(crate) fn json(content: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(content).expect("the keys are text")
}

/// The connection of one request.
pub(crate) struct Exchange {
    stream: TcpStream,
    limits: Limits,
    deadline: Instant,
    /// The bytes behind the head that have already arrived.
    behind: Vec<u8>,
}

impl Exchange {
    pub(crate) fn new(stream: TcpStream, limits: Limits) -> Self {
        let deadline = Instant::now() + limits.request;
        Exchange { stream, limits, deadline, behind: Vec::new() }
    }

    /// Reads the head of the request. `None` if the peer closes the connection, or is too slow.
    ///
    /// # Errors
    /// The response to an invalid head.
    pub(crate) fn head(&mut self) -> Result<Option<Head>, Response> {
        let mut received = Vec::new();
        loop {
            match parse(&received)? {
                Some((head, length)) => {
                    self.behind = received.split_off(length);
                    return Ok(Some(head));
                }
                None if received.len() > MAX_HEAD => return Err(too_large_head()),
                None => {}
            }
            match self.read_more(&mut received, MAX_HEAD) {
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => {}
            }
        }
    }

    /// Reads the body of the request. `None` if it does not arrive in time.
    ///
    /// # Errors
    /// The response to a body without a length, or with one over the limit.
    pub(crate) fn body(&mut self, head: &Head) -> Result<Option<Vec<u8>>, Response> {
        let length = match head.length {
            None => {
                return Err(Response::text("411 Length Required", "the body must have a length"));
            }
            Some(length) if length > MAX_BODY => {
                let text = format!("the body has {length} bytes, and at most {MAX_BODY} are read");
                return Err(Response::text("413 Content Too Large", &text));
            }
            Some(length) => length,
        };
        let mut body = std::mem::take(&mut self.behind);
        while body.len() < length {
            match self.read_more(&mut body, length) {
                Ok(0) | Err(_) => return Ok(None),
                Ok(_) => {}
            }
        }
        body.truncate(length);
        Ok(Some(body))
    }

    /// Reads once, until the deadline of the request. Reads a bit beyond `most` bytes in total.
    fn read_more(&mut self, to: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let mut chunk = [0; 4096];
        loop {
            self.stream.set_read_timeout(Some(left(self.deadline)?))?;
            let wanted = (most + 1).saturating_sub(to.len()).clamp(1, chunk.len());
            match self.stream.read(&mut chunk[..wanted]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    let read = read?;
                    to.extend_from_slice(&chunk[..read]);
                    return Ok(read);
                }
            }
        }
    }

    /// Writes the response, and closes the connection.
    pub(crate) fn respond(mut self, response: &Response, headers: &str) {
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}{headers}\
             Connection: close\r\n\r\n",
            response.status,
            response.content_type,
            response.body.len(),
            response.headers,
        );
        let bytes = [head.as_bytes(), &response.body].concat();
        // An error means that the peer has gone.
        let _ = self.write(&bytes).and_then(|()| self.close());
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let deadline = Instant::now() + self.limits.response;
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(left(deadline)?))?;
            match self.stream.write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => bytes = &bytes[written?..],
            }
        }
        Ok(())
    }

    /// Waits until the peer has closed the connection. Closing it while input arrives would discard
    /// a response that the peer has not read.
    fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.deadline = Instant::now() + self.limits.close;
        let mut dropped = Vec::new();
        while self.read_more(&mut dropped, usize::MAX - 1)? > 0 {
            dropped.clear();
        }
        Ok(())
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn too_large_head() -> Response {
    let text = format!("the head of a request has at most {MAX_HEAD} bytes");
    Response::text("431 Request Header Fields Too Large", &text)
}

/// Parses a head, and returns its length. `None` if it is incomplete.
fn parse(received: &[u8]) -> Result<Option<(Head, usize)>, Response> {
    let invalid =
        |what: &str| Response::text("400 Bad Request", &format!("invalid request: {what}"));
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(received) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(too_large_head()),
        Err(error) => return Err(invalid(&error.to_string())),
    };
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let path = text(request.path);
    let path = path.split_once('?').map_or(path.as_str(), |(path, _)| path).to_owned();
    let mut head = Head { method: text(request.method), path, ..Head::default() };
    for header in request.headers {
        let value = || {
            let value = std::str::from_utf8(header.value);
            value.map(|value| value.trim().to_owned()).map_err(|_| invalid("a header is no text"))
        };
        let single = |place: &mut Option<String>| match place.replace(value()?) {
            None => Ok(()),
            Some(_) => Err(invalid("a header came twice")),
        };
        match header.name.to_ascii_lowercase().as_str() {
            "host" => single(&mut head.host)?,
            "origin" => single(&mut head.origin)?,
            "content-type" => single(&mut head.content_type)?,
            "content-length" => {
                let number = value()?.parse().map_err(|_| invalid("the length is no number"))?;
                if head.length.replace(number).is_some_and(|earlier| earlier != number) {
                    return Err(invalid("two lengths"));
                }
            }
            "transfer-encoding" => {
                return Err(Response::text(
                    "501 Not Implemented",
                    "the body must have a length instead of an encoding",
                ));
            }
            _ => {}
        }
    }
    Ok(Some((head, length)))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    fn exchange(limits: Limits) -> (TcpStream, Exchange) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (peer, Exchange::new(listener.accept().unwrap().0, limits))
    }

    #[test]
    fn a_slow_request_has_a_deadline() {
        let soon = Duration::from_millis(50);
        let limits = Limits { request: soon, response: NEVER, close: soon };
        for request in ["", "GET / HT", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n1234"] {
            let (mut peer, mut exchange) = exchange(limits);
            peer.write_all(request.as_bytes()).unwrap();
            let ended = match exchange.head() {
                Ok(Some(head)) => exchange.body(&head).map(|body| body.is_none()),
                head => head.map(|head| head.is_none()),
            };
            assert!(ended.unwrap(), "{request}");
        }
        // The peer neither reads nor closes.
        let limits = Limits { request: NEVER, response: soon, close: soon };
        let (_peer, exchange) = exchange(limits);
        exchange.respond(&Response::text("200 OK", &"x".repeat(64 << 20)), "");
    }

    #[test]
    fn a_request_arrives_in_pieces() {
        let (mut peer, mut exchange) =
            exchange(Limits { request: NEVER, response: NEVER, close: NEVER });
        let sender = std::thread::spawn(move || {
            let request =
                "POST /a/b?c HTTP/1.1\r\nHOST: h\r\norigin:  o \r\ncontent-length: 3\r\n\r\nxyz!";
            for byte in request.bytes() {
                peer.write_all(&[byte]).unwrap();
            }
            let mut response = String::new();
            peer.read_to_string(&mut response).unwrap();
            response
        });
        let head = exchange.head().unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.path.as_str()), ("POST", "/a/b"));
        assert_eq!((head.host.as_deref(), head.origin.as_deref()), (Some("h"), Some("o")));
        assert_eq!(exchange.body(&head).unwrap().unwrap(), b"xyz");
        exchange.respond(&Response::text("200 OK", "done"), "A: b\r\n");
        let response = sender.join().unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.contains("\r\nA: b\r\n"));
        assert!(response.ends_with("\r\n\r\ndone\n"), "{response}");
    }
}
