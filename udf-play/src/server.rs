//! The server of the page: one thread for each connection, and a limit for their number.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::guard::{Guard, secret};
use crate::http::{Exchange, Head, LIMITS, Limits, Response, json};
use crate::latest::Runs;
use crate::{Connect, Page, document, form, run};

/// The maximum number of connections. A browser opens six.
const MAX_CONNECTIONS: usize = 32;

/// The pause after a connection could not be accepted, because descriptors have run out.
const PAUSE: Duration = Duration::from_millis(200);

/// A server that has its address, and does not yet serve.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    guard: Guard,
    /// The path that leads to the page once, without its token. The command line of a browser can
    /// be read by other users of the machine.
    launch: Mutex<Option<String>>,
    limits: Limits,
}

impl Server {
    /// Listens on this port of the loopback address, or on a free one for 0.
    ///
    /// # Errors
    /// When the port is in use.
    pub fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let (guard, launch) = (Guard::new(address)?, Mutex::new(Some(secret()?)));
        Ok(Server { listener, address, guard, launch, limits: LIMITS })
    }

    /// Returns the address of the page, with its token.
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.guard.token)
    }

    /// Returns an address that leads to the page once.
    pub fn launch_url(&self) -> String {
        let launch = self.launch.lock().expect("no holder panics");
        format!("http://{}/open/{}", self.address, launch.as_deref().unwrap_or_default())
    }

    /// Serves the page until the process ends. `connect` creates the connections with the UDF.
    pub fn serve(&self, page: &Page<'_>, connect: Connect<'_>) -> ! {
        let site = Site { server: self, page, connect, runs: Runs::default() };
        let open = AtomicUsize::new(0);
        thread::scope(|scope| {
            loop {
                let Ok((stream, _)) = self.listener.accept() else {
                    thread::sleep(PAUSE);
                    continue;
                };
                if open.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
                    open.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                let place = Place(&open);
                let site = &site;
                let serve = move || {
                    let _place = place;
                    site.serve(stream);
                };
                // Without a thread, the connection is closed, and the browser reports that.
                let _ = thread::Builder::new().name("play".to_owned()).spawn_scoped(scope, serve);
            }
        })
    }
}

/// A place of an open connection.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The page and its content.
struct Site<'a> {
    server: &'a Server,
    page: &'a Page<'a>,
    connect: Connect<'a>,
    runs: Runs,
}

impl Site<'_> {
    /// Serves one request.
    fn serve(&self, stream: TcpStream) {
        let mut exchange = Exchange::new(stream, self.server.limits);
        let response = match exchange.head() {
            Ok(None) => return,
            Ok(Some(head)) => self.response(&head, &mut exchange),
            Err(response) => Ok(Some(response)),
        };
        if let Some(response) = response.unwrap_or_else(Some) {
            exchange.respond(&response, document::HEADERS);
        }
    }

    /// Returns the response to a request. `None` if the body does not arrive.
    fn response(&self, head: &Head, exchange: &mut Exchange) -> Result<Option<Response>, Response> {
        self.server.guard.check_source(head)?;
        if head.method == "GET"
            && let Some(response) = self.launch(&head.path)
        {
            return Ok(Some(response));
        }
        let path = self.server.guard.below_token(head)?;
        match (head.method.as_str(), path) {
            ("GET", "") => Ok(Some(document::document())),
            ("GET", "form") => Ok(Some(Response::json(form::form(self.page)))),
            ("POST", "run") => {
                // A form of another page cannot have this type.
                if head.content_type.as_deref() != Some("application/json") {
                    let text = "the body must be application/json";
                    return Err(Response::text("415 Unsupported Media Type", text));
                }
                let body = exchange.body(head)?;
                body.map(|body| self.run(&body)).transpose()
            }
            (_, "" | "form" | "run") => {
                let allow = if path == "run" { "POST" } else { "GET" };
                let text = format!(
                    "the method {} is not allowed here; this address answers {allow} requests",
                    head.method
                );
                let mut response = Response::text("405 Method Not Allowed", &text);
                response.headers = format!("Allow: {allow}\r\n");
                Err(response)
            }
            _ => Err(Response::text("404 Not Found", "there is no such page")),
        }
    }

    /// Returns the way to the page for the address that a browser was started with.
    fn launch(&self, path: &str) -> Option<Response> {
        let mut launch = self.server.launch.lock().expect("no holder panics");
        let secret = path.strip_prefix("/open/")?;
        launch.take_if(|launch| launch == secret)?;
        let mut response = Response::text("303 See Other", "the page");
        response.headers = format!("Location: /{}/\r\n", self.server.guard.token);
        Some(response)
    }

    fn run(&self, mut body: &[u8]) -> Result<Response, Response> {
        // A replay of a recording parses JSON with the same type of reader, so that a program
        // contains one parser.
        let body: &mut dyn io::Read = &mut body;
        let request: run::Request = serde_json::from_reader(body).map_err(|error| {
            Response::text("400 Bad Request", &format!("invalid request: {error}"))
        })?;
        let played = self.runs.run(|run| run::play(self.page, self.connect, run, &request));
        let newer = || Response::text("409 Conflict", "a newer request has come");
        played.as_ref().map(|played| Response::json(json(played))).ok_or_else(newer)
    }
}
