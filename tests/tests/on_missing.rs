//! `on_missing` applies to a point without a field or tag that the handler needs, over real frames.

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use udf_proto::messages::{self, Request, Response, request, response};
use udf_proto::{EdgeType, frame};
use udf_runtime::{
    Agent, Edge, Emitter, Fields, FromPoint, Point, Result, Stream, StreamUdf, Udf, UdfHandler, udf,
};

#[derive(FromPoint)]
struct Cpu<'p> {
    #[field(name = "usage_user")]
    user: f64,
    #[tag]
    host: &'p str,
    #[point]
    point: Point<'p>,
}

#[derive(Fields)]
struct Doubled<'a> {
    doubled: f64,
    of: &'a str,
}

macro_rules! doubling {
    ($name:ident, $on_missing:ident) => {
        #[udf(wants = stream, provides = stream, point = Cpu<'_>, on_missing = $on_missing)]
        struct $name {}

        impl StreamUdf for $name {
            fn point(&mut self, cpu: &Cpu<'_>, out: &mut Emitter<Stream>) -> Result<()> {
                let fields = Doubled { doubled: 2.0 * cpu.user, of: cpu.host };
                Ok(out.edit(&cpu.point).fields(&fields).send()?)
            }
        }
    };
}

doubling!(Skipping, skip);
doubling!(Passing, pass);
doubling!(Failing, fail);

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn point(time: i64, host: Option<&str>, text: bool) -> messages::Point {
    let mut point = messages::Point { time, name: "cpu".into(), ..Default::default() };
    point.tags.extend(host.map(|host| ("host".to_owned(), host.to_owned())));
    if text {
        point.fields_string.insert("usage_user".into(), "high".into());
    } else {
        point.fields_double.insert("usage_user".into(), 1.5);
    }
    point
}

/// Returns the answers of a UDF to three points: a valid one, one without the tag, one with text.
fn answers<T: Udf + 'static>() -> (Vec<messages::Point>, Option<String>) {
    let mut input = Vec::new();
    let mut send = |message| frame::append(&Request { message: Some(message) }, &mut input);
    send(request::Message::Init(messages::InitRequest::default()));
    for point in [point(1, Some("a"), false), point(2, None, false), point(3, Some("a"), true)] {
        send(request::Message::Point(point));
    }
    let output = Output::default();
    let agent = Agent::new(Cursor::new(input), output.clone(), UdfHandler::<T>::new());
    // The error is also in the answers.
    let _ = agent.run();
    let bytes = output.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut reader = frame::FrameReader::new(&bytes[..]);
    let (mut points, mut error) = (Vec::new(), None);
    while let Some(frame) = reader.next_frame().expect("frames are whole") {
        let response: Response = prost::Message::decode(frame).expect("the frame is a response");
        match response.message {
            Some(response::Message::Point(point)) => points.push(point),
            Some(response::Message::Error(failure)) => error = Some(failure.error),
            _ => {}
        }
    }
    (points, error)
}

#[test]
fn points_without_what_the_handler_needs_are_skipped_passed_or_fail() {
    let (points, error) = answers::<Skipping>();
    assert_eq!((points.len(), error), (1, None));
    assert_eq!(points[0].fields_double["doubled"], 3.0);
    assert_eq!(points[0].fields_string["of"], "a");

    let (points, error) = answers::<Passing>();
    assert_eq!((points.len(), error), (3, None));
    assert_eq!(points[1], point(2, None, false), "as it came");
    assert_eq!(points[2], point(3, Some("a"), true));

    let (points, error) = answers::<Failing>();
    assert_eq!(points.len(), 1);
    let error = error.expect("the task fails");
    assert!(error.contains("a point of `cpu` has no tag `host`"), "{error}");
    assert_eq!(<Failing as Udf>::Wants::TYPE, EdgeType::Stream);
}
