//! Serves the metrics of a daemon over HTTP, for Prometheus to scrape.
//!
//! One thread serves all scrapers, and never waits for a single one. A silent, slow or greedy
//! scraper occupies one of a few places, and a little memory, until its time limit.

mod exchange;
mod page;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::exchange::Exchange;
use self::page::Page;
pub(super) use self::page::Render;
use crate::agent::shortage;

/// The pause of accepting after it failed because descriptors or memory ran out. It would fail
/// again at once.
const PAUSE: Duration = Duration::from_millis(200);

/// The maximum number of connections that are accepted before the open ones are checked again.
const MOST_IN_A_ROW: usize = 16;

struct Limits {
    /// The maximum number of open connections. A new one beyond that replaces the oldest.
    connections: usize,
    /// The time limit for the request to arrive. After the response, the peer has the same time to
    /// close.
    request: Duration,
    /// The time limit for the response to be read. Prometheus itself waits for 10 seconds.
    response: Duration,
}

const LIMITS: Limits =
    Limits { connections: 64, request: Duration::from_secs(2), response: Duration::from_secs(10) };

/// Serves metrics at `address` until the process exits. Returns the bound address.
pub(super) fn serve(address: SocketAddr, render: Render) -> io::Result<SocketAddr> {
    start(address, render, LIMITS)
}

fn start(address: SocketAddr, render: Render, limits: Limits) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let page = Page::new(render);
    let mut endpoint = Endpoint { listener, resume: None, page, exchanges: Vec::new(), limits };
    let run = move || {
        loop {
            if let Err(error) = endpoint.turn() {
                tracing::debug!("scrapers have to wait: {error}");
                thread::sleep(PAUSE);
            }
        }
    };
    let started = thread::Builder::new().name("metrics".to_owned()).spawn(run);
    started.map_err(shortage::of("cannot start a thread"))?;
    Ok(address)
}

struct Endpoint {
    listener: TcpListener,
    /// The time at which accepting resumes after a pause.
    resume: Option<Instant>,
    page: Page,
    /// The open connections, the oldest first.
    exchanges: Vec<Exchange>,
    limits: Limits,
}

impl Endpoint {
    /// Waits for the next event, and handles it.
    fn turn(&mut self) -> rustix::io::Result<()> {
        let now = Instant::now();
        self.exchanges.retain(|exchange| exchange.deadline > now);
        self.resume = self.resume.filter(|resume| *resume > now);
        let deadlines = self.exchanges.iter().map(|exchange| exchange.deadline);
        let next = deadlines.chain(self.resume).min();
        let timeout = next.and_then(|next| Timespec::try_from(next - now).ok());
        let mut fds: Vec<_> = self
            .exchanges
            .iter()
            .map(|exchange| PollFd::new(exchange.stream(), exchange.events()))
            .collect();
        if self.resume.is_none() {
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok(()),
            polled => polled?,
        };
        let ready: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ready = ready.into_iter();
        let (page, limits) = (&mut self.page, &self.limits);
        self.exchanges.retain_mut(|exchange| {
            let is_ready = ready.next().unwrap_or_default();
            !is_ready || exchange.go_on(page, limits)
        });
        if ready.next() == Some(true) {
            self.accept();
        }
        Ok(())
    }

    fn accept(&mut self) {
        for _ in 0..MOST_IN_A_ROW {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) => {
                    self.pause_after(&error);
                    return;
                }
            };
            let Ok(mut exchange) = Exchange::new(stream, &self.limits) else { continue };
            // Most requests have arrived by now. They need no place, regardless of the number of
            // silent connections.
            if exchange.go_on(&mut self.page, &self.limits) {
                if self.exchanges.len() >= self.limits.connections {
                    self.exchanges.remove(0);
                }
                self.exchanges.push(exchange);
            }
        }
    }

    fn pause_after(&mut self, error: &io::Error) {
        match Errno::from_io_error(error) {
            Some(Errno::WOULDBLOCK | Errno::INTR | Errno::CONNABORTED) => {}
            _ => {
                tracing::debug!("scrapers have to wait: {error}");
                self.resume = Some(Instant::now() + PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};
    use std::sync::Arc;

    use super::*;
    use crate::agent::link::Link;
    use crate::agent::metrics::{Counted, Metrics};

    /// Longer than any test, so that no time limit expires.
    const NEVER: Duration = Duration::from_secs(3600);

    /// Starts an endpoint whose time limits never expire.
    fn serve(metrics: Metrics, connections: usize) -> SocketAddr {
        let limits = Limits { connections, request: NEVER, response: NEVER };
        let render: Render = Box::new(move || metrics.to_prometheus());
        start((Ipv4Addr::LOCALHOST, 0).into(), render, limits).expect("a port is free")
    }

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).expect("the daemon listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
        stream
    }

    /// Sends `request`, and returns everything up to the end of the response.
    fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = connect(address);
        stream.write_all(request).expect("the other side reads");
        rest(&mut stream)
    }

    fn rest(stream: &mut TcpStream) -> String {
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it answers, and closes");
        said
    }

    #[track_caller]
    fn assert_serves(address: SocketAddr) {
        let said = ask(address, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, body) = said.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        assert!(body.ends_with('\n') && body.contains("udf_connections_total"), "{said}");
    }

    /// Creates metrics whose text exceeds the buffers of a socket.
    fn large() -> (Metrics, Vec<Counted>) {
        let metrics = Metrics::new();
        let open = (0..3000).map(|task| {
            let link = Arc::new(Link::new(Box::new(io::sink())));
            link.pulse.name_task(&format!("{task:090}"), &format!("{task:090}"));
            metrics.open(link)
        });
        let open = open.collect();
        (metrics, open)
    }

    #[test]
    fn nobody_waits_for_others() {
        let address = serve(Metrics::new(), 64);
        let mut others: Vec<_> = (0..40).map(|_| connect(address)).collect();
        assert_serves(address);
        for stream in &mut others[..20] {
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: lo").expect("the other side reads");
        }
        assert_serves(address);
        for _ in 0..200 {
            drop(connect(address));
        }
        assert_serves(address);
        // A connection in the middle of a request can still finish it, one byte at a time.
        for byte in b"calhost\r\n\r\n" {
            others[0].write_all(&[*byte]).expect("the other side reads");
        }
        assert!(rest(&mut others[0]).contains("udf_connections_total"));
    }

    #[test]
    fn readers_that_do_not_read_hold_up_nobody() {
        let (metrics, _open) = large();
        let address = serve(metrics, 64);
        let mut lazy: Vec<_> = (0..5)
            .map(|_| {
                let mut stream = connect(address);
                stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("the other side reads");
                // From here on, the response is under way.
                stream.peek(&mut [0]).expect("it answers");
                stream
            })
            .collect();
        assert_serves(address);
        // A late reader still gets the whole response.
        let said = rest(&mut lazy[0]);
        assert!(said.len() > 4 << 20 && said.ends_with('\n'), "{} bytes", said.len());
    }

    #[test]
    fn one_too_many_takes_the_place_of_the_first() {
        let address = serve(Metrics::new(), 2);
        let mut first = connect(address);
        first.write_all(b"GET /").expect("the other side reads");
        let (_second, _third) = (connect(address), connect(address));
        // The first connection is closed before its time limit. Its bytes may be unread, so the
        // close may be a reset.
        assert!(matches!(first.read(&mut [0]), Ok(0) | Err(_)));
        assert_serves(address);
    }

    #[test]
    fn a_request_in_drops_is_not_waited_for() {
        let request = Duration::from_millis(50);
        let limits = Limits { request, ..LIMITS };
        let address =
            start((Ipv4Addr::LOCALHOST, 0).into(), Box::new(String::new), limits).expect("a port");
        let mut stream = connect(address);
        stream.set_read_timeout(Some(Duration::from_millis(10))).expect("a timeout can be set");
        // Each byte arrives within the time limit, which must not restart with each byte.
        let drops = (0..MOST_DROPS).take_while(|_| {
            let is_silent = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
            stream.write_all(b"x").is_ok()
                && stream.read(&mut [0]).is_err_and(|error| is_silent(&error))
        });
        assert!(drops.count() < MOST_DROPS, "it waits for one drop after the other");
    }

    /// Fewer bytes than the limit of a head, and a longer time than the limit of a request.
    const MOST_DROPS: usize = 3000;

    #[test]
    fn what_is_asked_for_is_answered() {
        let address = serve(Metrics::new(), 64);
        assert_serves(address);
        let said = ask(address, b"GET /metrics?x=1 HTTP/1.1\r\n\r\n");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(ask(address, b"GET / HTTP/1.0\n\n").contains("udf_connections_total"));
        let head = ask(address, b"HEAD /metrics HTTP/1.1\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        assert!(length.is_some_and(|length| length.len() > 2), "the length of a body: {head}");
        assert!(head.ends_with("\r\n\r\n") && !head.contains("udf_"), "{head}");
        let said = ask(address, b"GET /other HTTP/1.1\r\n\r\n");
        assert!(said.starts_with("HTTP/1.1 404 Not Found\r\n"), "{said}");
        let body = [b'x'; 100 << 10];
        let post = [b"POST /metrics HTTP/1.1\r\n\r\n", &body[..]].concat();
        // Input after the head is discarded. Otherwise the response might be lost to a reset.
        let said = ask(address, &post);
        assert!(said.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{said}");
        assert!(said.contains("\r\nAllow: GET, HEAD\r\n"), "{said}");
        let said = ask(address, &body);
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
        // A client may shut down its writing side after the request.
        let mut stream = connect(address);
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("the other side reads");
        stream.shutdown(std::net::Shutdown::Write).expect("the descriptor is open");
        assert!(rest(&mut stream).starts_with("HTTP/1.1 200 OK\r\n"));
    }
}
