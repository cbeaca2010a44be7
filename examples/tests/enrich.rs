//! Tests of `enrich`, with a server on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use udf_runtime::testing::{self, TestTask};
use udf_runtime::{UdfHandler, testing::Setup};

use super::Enrich;

/// An HTTP server that answers each query with its value in capital letters.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server. It calls `before` with each query before it answers.
    fn start(before: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let url = format!("http://{}/owner", listener.local_addr().expect("it is bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (before, queries) = (Arc::new(before), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (before, queries) = (Arc::clone(&before), Arc::clone(&queries));
                thread::spawn(move || serve(stream.expect("it is open"), &*before, &queries));
            }
        });
        Server { url, asked }
    }

    fn setup(&self) -> Setup<UdfHandler<Enrich>> {
        let url = format!("url={}", self.url);
        testing::udf::<Enrich>().option(&url).option("tag=host").option("as=owner").group_by("host")
    }

    fn task(&self) -> TestTask<UdfHandler<Enrich>> {
        self.setup().start()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("it is whole").clone()
    }
}

/// Answers the requests of a connection, which the client keeps.
fn serve(stream: TcpStream, before: &dyn Fn(&str), asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().expect("it is open")).lines();
    let mut stream = stream;
    while let Some(Ok(request)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let path = request.split(' ').nth(1).expect("it is a request");
        let query = path.strip_prefix("/owner?host=").expect("it is the address");
        asked.lock().expect("it is whole").push(query.to_owned());
        before(query);
        let (status, body) = match query {
            "unknown" => ("404 Not Found", String::new()),
            query => ("200 OK", format!("{}\n", query.to_uppercase())),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn options_hold_together() {
    testing::check::<Enrich>();
    let refusal = testing::udf::<Enrich>().option("url=https://a/").option("tag=host").refusal();
    assert_eq!(refusal, "the address must begin with http://, not be `https://a/`");
}

#[test]
fn answers_are_added_in_the_order_of_the_input() {
    // No look-up returns before all four have arrived.
    let all = Barrier::new(4);
    let server = Server::start(move |_| {
        all.wait();
    });
    let mut task = server.task();
    task.feed("cpu,host=d v=1 1\ncpu,host=c v=2 2\ncpu,host=b v=3 3\ncpu,host=a v=4 4");
    task.emits(
        "cpu,host=d v=1,owner=\"D\" 1
         cpu,host=c v=2,owner=\"C\" 2
         cpu,host=b v=3,owner=\"B\" 3
         cpu,host=a v=4,owner=\"A\" 4",
    );
    task.end();
    task.emits_nothing();
}

#[test]
fn an_answer_is_used_again() {
    let server = Server::start(|_| ());
    let mut task = server.task();
    task.feed("cpu,host=a v=1 1");
    task.feed("cpu,host=a v=2 2\ncpu,host=x\\ &y v=3 3");
    task.emits(
        "cpu,host=a v=1,owner=\"A\" 1
         cpu,host=a v=2,owner=\"A\" 2
         cpu,host=x\\ &y v=3,owner=\"X%20%26Y\" 3",
    );
    assert_eq!(server.asked(), ["a", "x%20%26y"]);
}

#[test]
fn an_answer_that_is_too_old_is_asked_for_again() {
    let server = Server::start(|_| ());
    let mut task = server.setup().option("maxAge=0s").start();
    task.feed("cpu,host=a v=1 1");
    task.feed("cpu,host=a v=2 2");
    assert_eq!(task.output().len(), 2);
    assert_eq!(server.asked(), ["a", "a"]);
}

#[test]
fn the_cache_is_bounded() {
    let server = Server::start(|_| ());
    let mut task = server.setup().option("maxAnswers=4").start();
    for host in ["a", "b", "c", "d", "a", "d"] {
        task.feed(&format!("cpu,host={host} v=1 1"));
    }
    assert_eq!(task.output().len(), 6);
    // `a` was dropped for `d`, and `d` is known.
    assert_eq!(server.asked(), ["a", "b", "c", "d", "a"]);
}

#[test]
fn a_point_whose_look_up_fails_is_passed_on() {
    let server = Server::start(|_| ());
    let mut task = server.task();
    task.feed("cpu,host=unknown v=1 1\ncpu v=2 2\ncpu,host=b v=3 3");
    task.emits("cpu,host=unknown v=1 1\ncpu v=2 2\ncpu,host=b v=3,owner=\"B\" 3");
}

#[test]
fn a_look_up_that_fails_can_fail_the_task() {
    let server = Server::start(|_| ());
    let mut task = server.setup().option("onFailure=fail").start();
    task.feed("cpu,host=b v=1 1\ncpu,host=unknown v=2 2\ncpu,host=c v=3 3");
    assert_eq!(task.failure(), "the look-up of `unknown` failed: http status: 404");
    task.emits("cpu,host=b v=1,owner=\"B\" 1");
}
