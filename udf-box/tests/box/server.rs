//! An HTTP server on loopback. The options and the pages name it `127.0.0.1:8080`; the suites put
//! its real address there.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;

/// Answers a path with a status and a body. `None` for no answer at all.
pub(crate) type Answer = dyn Fn(&str) -> Option<(u16, String)> + Send + Sync;

/// Starts a server for the rest of the process, and returns its address.
pub(crate) fn start(answer: Arc<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(stream, &*answer));
        }
    });
    address
}

/// Answers the requests of a connection, until the client closes it.
fn serve(mut stream: TcpStream, answer: &Answer) {
    let mut lines = BufReader::new(stream.try_clone().expect("it is open")).lines();
    while let Some(Ok(request)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let path = request.split(' ').nth(1).expect("it is a request");
        let Some((status, body)) = answer(path) else { continue };
        // The location is for a redirect alone.
        let head = format!(
            "HTTP/1.1 {status} Status\r\nLocation: /moved\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The address in options and pages.
const NAME: &str = "127.0.0.1:8080";

/// The address of the server of the files in `docs/box/data`.
static ADDRESS: OnceLock<String> = OnceLock::new();

/// Returns a text with the address of that server.
pub(crate) fn real(text: &str) -> String {
    if !text.contains(NAME) {
        return text.to_owned();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/box/data");
    let address = ADDRESS.get_or_init(|| {
        start(Arc::new(move |path| {
            let file = fs::read_to_string(folder.join(path.trim_start_matches('/')));
            Some(file.map_or((404, String::new()), |text| (200, text)))
        }))
    });
    text.replace(NAME, address)
}

/// Returns an output with the address of the pages.
pub(crate) fn shown(text: &str) -> String {
    ADDRESS.get().map_or_else(|| text.to_owned(), |address| text.replace(address, NAME))
}
