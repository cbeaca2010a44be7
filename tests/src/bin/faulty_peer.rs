//! A UDF with one fault. Its first argument names the fault: `none`, or a fault in
//! `tests/check/faults.rs`.
//!
//! The UDF returns each point with a field `seen`, the number of points so far. This number is its
//! state. `--batch` makes it read and write batches, and `--socket PATH` makes it a daemon. It uses
//! only frames and messages, so that it can have faults that the runtime prevents.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{abort, exit};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use prost::Message as _;
use udf_proto::frame::{FrameError, FrameReader};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    BeginBatch, EndBatch, ErrorResponse, InfoResponse, InitRequest, InitResponse,
    KeepaliveResponse, OptionInfo, Point, Request, RestoreResponse, SnapshotResponse,
};
use udf_proto::{Init, Value, response};

/// The start of a snapshot.
const MARK: &[u8] = b"peer";

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let fault = args.first().cloned().unwrap_or_else(|| "none".to_owned());
    let batch = args.iter().any(|arg| arg == "--batch");
    let path = args.iter().position(|arg| arg == "--socket").and_then(|at| args.get(at + 1));
    let Some(path) = path else {
        let peer = Peer::new(fault, batch, Box::new(io::stdout()));
        peer.serve(io::stdin());
        return;
    };
    let listener = UnixListener::bind(path).expect("the path is free");
    eprintln!("faulty_peer listens on {path}");
    for stream in listener.incoming() {
        let stream = stream.expect("a connection is accepted");
        let writer = stream.try_clone().expect("a descriptor is left");
        let one_at_a_time = fault == "one_at_a_time";
        let fault = fault.clone();
        let serve = move || {
            Peer::new(fault, batch, Box::new(writer)).serve(&stream);
            // Closes the connection even if another descriptor is open.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        };
        let serving = thread::spawn(serve);
        if one_at_a_time {
            serving.join().expect("the thread does not panic");
        }
    }
}

/// Hangs for longer than any test waits.
fn hang() -> ! {
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

struct Peer {
    fault: String,
    batch: bool,
    out: Box<dyn Write>,
    held_back: Vec<u8>,
    started: bool,
    requests: usize,
    points: i64,
    groups: HashSet<String>,
    /// The open batch, and its points.
    open: Option<(BeginBatch, Vec<Point>)>,
    after_data: bool,
}

impl Peer {
    fn new(fault: String, batch: bool, out: Box<dyn Write>) -> Self {
        Peer {
            fault,
            batch,
            out,
            held_back: Vec::new(),
            started: false,
            requests: 0,
            points: 0,
            groups: HashSet::new(),
            open: None,
            after_data: false,
        }
    }

    fn is(&self, fault: &str) -> bool {
        self.fault == fault
    }

    fn serve(mut self, input: impl Read) {
        if self.is("prints_at_start") {
            self.write(
                b"Hello from a UDF that prints its log to stdout, where its messages are to be\n",
            );
        }
        if self.is("chatty_start") {
            self.say(Answer::Point(Point::default()));
        }
        let mut frames = FrameReader::new(input);
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => match Request::decode(frame) {
                    Ok(request) => self.request(request, frame.len()),
                    Err(_) if self.is("aborts_on_garbage") => abort(),
                    Err(_) => return,
                },
                Ok(None) => return self.end(),
                Err(FrameError::TooLong { .. }) if self.is("aborts_on_oversized") => abort(),
                Err(FrameError::Cut { .. }) if self.is("hangs_on_cut") => hang(),
                Err(FrameError::BadLength) if self.is("hangs_on_length") => hang(),
                Err(FrameError::BadLength) if self.is("daemon_dies") => exit(1),
                Err(_) => return,
            }
        }
    }

    fn end(&mut self) {
        match &*self.fault {
            "hangs_after_info" if !self.started => hang(),
            "hangs_unused" if self.requests == 0 => hang(),
            "never_closes" if self.started => hang(),
            "fails_after_info" if !self.started => exit(1),
            "bad_status" if self.started => exit(3),
            "cut_at_end" if self.started => self.write(&[20, 1, 2, 3]),
            "open_at_end" => {
                if let Some((begin, _)) = self.open.take() {
                    self.say(Answer::Begin(begin));
                }
            }
            _ => {}
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.out.write_all(bytes).and_then(|()| self.out.flush()).is_err() && self.is("orphan") {
            hang();
        }
    }

    fn say(&mut self, answer: Answer) {
        let is_data = matches!(answer, Answer::Begin(_) | Answer::Point(_) | Answer::End(_));
        let mut bytes = std::mem::take(&mut self.held_back);
        response::append(answer, &mut bytes);
        if self.is("drops_at_end") && is_data {
            self.held_back = bytes;
        } else {
            self.write(&bytes);
        }
    }

    fn fail(&mut self, error: &str) {
        self.say(Answer::Error(ErrorResponse { error: error.to_owned() }));
        exit(1);
    }

    fn request(&mut self, request: Request, length: usize) {
        self.requests += 1;
        if self.is("small_buffer") && length > 64 << 10 {
            exit(4);
        }
        let is_strict = self.is("strict_members") && request.message.is_some();
        if is_strict && request.encoded_len() != length {
            exit(4);
        }
        let after_data = std::mem::take(&mut self.after_data);
        match request.message {
            Some(Ask::Info(_)) => self.info(),
            Some(Ask::Init(init)) => self.init(init),
            Some(Ask::Keepalive(keepalive)) => self.keepalive(keepalive.time, after_data),
            Some(Ask::Snapshot(_)) => self.snapshot(after_data),
            Some(Ask::Restore(restore)) => self.restore(&restore.snapshot),
            Some(Ask::Begin(begin)) => self.open = Some((begin, Vec::new())),
            Some(Ask::Point(point)) => self.point(point),
            Some(Ask::End(end)) => self.end_batch(end),
            None if self.is("dies_of_empty") && length == 0 => exit(4),
            None if self.is("dies_of_unknown") && length > 0 => exit(4),
            None => {}
        }
    }

    fn info(&mut self) {
        let types = |types: &[i32]| OptionInfo { value_types: types.to_vec() };
        let edge = i32::from(self.batch);
        let mut info = InfoResponse { wants: edge, provides: edge, ..InfoResponse::default() };
        info.options.insert("field".to_owned(), types(&[3]));
        info.options.insert("size".to_owned(), types(&[1]));
        match &*self.fault {
            "no_info" => return,
            "dies_of_info" => {
                eprintln!("no such file: model.bin");
                exit(5);
            }
            "init_for_info" => return self.say(Answer::Init(InitResponse::default())),
            "unknown_edge" => info.wants = 7,
            "unknown_type" => drop(info.options.insert("odd".to_owned(), types(&[9]))),
            "uncallable_option" => drop(info.options.insert("window size".to_owned(), types(&[1]))),
            "changing_info" => {
                let name = format!("option{}", std::process::id());
                info.options.insert(name, types(&[]));
            }
            // More than half of the timeout of the test.
            "slow_info" => thread::sleep(Duration::from_secs(7)),
            _ => {}
        }
        self.say(Answer::Info(info));
    }

    fn init(&mut self, request: InitRequest) {
        if self.is("long_line") {
            eprintln!("starting {}", request.task_id);
        }
        if self.is("point_before_answer") {
            self.say(Answer::Point(Point::default()));
        }
        let refusal = self.refusal(request);
        match &*self.fault {
            "dies_of_options" if refusal.is_some() => exit(4),
            "silent_refusal" if refusal.is_some() => return,
            _ => {}
        }
        self.started = refusal.is_none();
        let error = match (&*self.fault, refusal) {
            ("refusal_without_text", _) => String::new(),
            ("vague_refusal", Some(_)) => "bad options".to_owned(),
            (_, refusal) => refusal.unwrap_or_default(),
        };
        let answer = Answer::Init(InitResponse { success: self.started, error });
        if self.is("answers_init_twice") {
            self.say(answer.clone());
        }
        self.say(answer);
        if !self.started && self.is("dies_after_refusal") {
            exit(1);
        }
        if self.started && self.is("unasked_snapshot") {
            self.say(Answer::Snapshot(SnapshotResponse::default()));
        }
    }

    /// Returns why this UDF refuses the options, if it does.
    fn refusal(&self, request: InitRequest) -> Option<String> {
        if self.is("refuses_all") {
            return Some("not today".to_owned());
        }
        if self.is("picky_about_names") && request.task_id.is_empty() {
            return Some("a task must have a name".to_owned());
        }
        let tolerant = |fault| self.is(fault).then_some(None);
        let init = match Init::try_from(request) {
            Ok(init) => init,
            Err(error) => {
                return tolerant("accepts_no_value").unwrap_or(Some(error.to_string()));
            }
        };
        for call in &init.options {
            let wrong = match (&*call.name, &call.values[..]) {
                ("field", [Value::String(_)]) | ("size", [Value::Int(_)]) => continue,
                ("field" | "size", [_]) => "accepts_wrong_type",
                ("field" | "size", _) => "accepts_wrong_count",
                _ => "accepts_unknown",
            };
            let text = format!("`{}` is not called like this", call.name);
            return tolerant(wrong).unwrap_or(Some(text));
        }
        let named = init.options.iter().any(|call| call.name == "field");
        (!named).then(|| "`field` is missing".to_owned())
    }

    fn keepalive(&mut self, time: i64, after_data: bool) {
        let time = match &*self.fault {
            "deaf_before_init" if !self.started => return,
            "deaf" if self.started => return,
            "deaf_among_data" if after_data && self.points % 10 == 4 => return,
            "wrong_echo" if time == 0 => 1,
            _ => time,
        };
        self.say(Answer::Keepalive(KeepaliveResponse { time }));
    }

    fn snapshot(&mut self, after_data: bool) {
        let count = if self.is("forgets") { 0 } else { self.points };
        let snapshot = [MARK, &count.to_le_bytes(), MARK].concat();
        match &*self.fault {
            "no_snapshot" => {}
            "no_snapshot_after_data" if after_data => {}
            "info_for_snapshot" => self.info(),
            _ => self.say(Answer::Snapshot(SnapshotResponse { snapshot })),
        }
    }

    fn restore(&mut self, snapshot: &[u8]) {
        let count = snapshot.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(MARK));
        let count = count.and_then(|count| count.try_into().ok()).map(i64::from_le_bytes);
        let count = match &*self.fault {
            "refuses_own" => None,
            "accepts_garbage" => count.or(Some(0)),
            "accepts_damaged" if snapshot.starts_with(MARK) => count.or(Some(0)),
            "dies_of_garbage" if count.is_none() => exit(4),
            "dies_of_empty_snapshot" if snapshot.is_empty() => exit(4),
            _ => count,
        };
        self.points = count.unwrap_or(self.points);
        let error = if count.is_some() { "" } else { "no snapshot of mine" };
        let error = error.to_owned();
        self.say(Answer::Restore(RestoreResponse { success: count.is_some(), error }));
    }

    fn point(&mut self, mut point: Point) {
        if let Some(millis) = self.fault.strip_prefix("slow_").and_then(|nap| nap.parse().ok()) {
            thread::sleep(Duration::from_millis(millis));
        }
        self.after_data = true;
        self.points += 1;
        self.groups.insert(point.group.clone());
        let mut unread = false;
        match &*self.fault {
            "prints_at_point" if self.points == 3 => {
                self.write(b"point number 3, at last: looks good to me!\n")
            }
            "hangs_when_busy" if self.points == 1500 => hang(),
            "error_on_data" if self.points == 5 => self.fail("the moon is full"),
            "dies_on_data" if self.points == 5 => {
                eprintln!("index out of range");
                exit(101);
            }
            "empty_response" if self.points == 3 => self.write(&[0]),
            "sends_batches" if self.points == 3 => {
                self.say(Answer::Begin(BeginBatch::default()));
                self.say(Answer::End(EndBatch::default()));
            }
            "sends_points" if self.points == 3 => self.say(Answer::Point(Point::default())),
            "loses_grouping" => point.dimensions.clear(),
            "wants_temperature" => {
                let name = "temperature";
                let float = point.fields_double.contains_key(name);
                if !float && !point.fields_int.contains_key(name) {
                    return;
                }
            }
            // Like a UDF that passes points without its field on, and panics at some of the others.
            "passes_unread" => match point.fields_double.get("temperature") {
                Some(degrees) if *degrees < 0.0 => {
                    eprintln!("the handler panicked: {degrees} is below zero");
                    exit(101);
                }
                Some(_) => {}
                None => unread = true,
            },
            "swallows" => return,
            "reads_ints_as_zero" => {
                let mean = point.fields_double.get("usage").copied().unwrap_or(0.0);
                point.fields_double.insert("mean".to_owned(), mean);
            }
            "skips_ints" if point.fields_int.contains_key("usage") => return,
            "reads_missing_as_zero" => {
                let int = point.fields_int.get("usage").map(|value| *value as f64);
                let value = point.fields_double.get("usage").copied().or(int);
                point.fields_double.insert("usage".to_owned(), value.unwrap_or(0.0));
            }
            "floats_only" if point.fields_double.is_empty() => self.fail("no float"),
            "dies_without_field" if point.fields_int.contains_key("other") => exit(4),
            "dies_of_text" if !point.fields_string.is_empty() => exit(4),
            "few_groups" if self.groups.len() > 1000 => exit(4),
            "logs_each_point" => eprintln!("a point of {}", point.group),
            _ => {}
        }
        if !unread {
            point.fields_int.insert("seen".to_owned(), self.points);
        }
        if self.is("loses_fields") {
            point.fields_int.clear();
            point.fields_double.clear();
        }
        match &mut self.open {
            Some((_, points)) => points.push(point),
            None => self.say(Answer::Point(point)),
        }
    }

    fn end_batch(&mut self, mut end: EndBatch) {
        self.after_data = true;
        let Some((mut begin, points)) = self.open.take() else { return };
        if self.is("trusts_size") && begin.size != points.len() as i64 {
            exit(4);
        }
        if self.is("dies_of_short_batches") && points.len() < 3 {
            exit(4);
        }
        if self.is("nameless_batches") {
            begin = BeginBatch::default();
            end = EndBatch { tmax: end.tmax, ..EndBatch::default() };
        }
        if self.is("tagless_batches") {
            begin.tags.clear();
            end.tags.clear();
        }
        if self.is("mixes_groups") {
            for tags in [&mut begin.tags, &mut end.tags] {
                tags.insert("host".to_owned(), "host00".to_owned());
            }
        }
        begin.size = match &*self.fault {
            "negative_size" => -1,
            "absurd_size" => i64::MAX,
            _ => 0,
        };
        if !self.is("end_without_begin") {
            self.say(Answer::Begin(begin.clone()));
        }
        if self.is("nested_batches") {
            self.say(Answer::Begin(begin));
        }
        for point in points {
            self.say(Answer::Point(point));
        }
        if self.is("nameless_end") {
            end.name.clear();
            end.tags.clear();
        }
        static BATCHES: AtomicUsize = AtomicUsize::new(0);
        if self.is("never_ends") && BATCHES.fetch_add(1, Ordering::Relaxed) == 19 {
            return;
        }
        self.say(Answer::End(end));
    }
}
