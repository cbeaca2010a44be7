//! Measures how often Kapacitor receives a message from a connection with a busy handler.

use std::error::Error;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::response;
use udf_proto::{Init, messages};
use udf_runtime::{
    Emitter, Point, Result as UdfResult, Server, Stream, StreamUdf, UdfHandler, udf,
};

use crate::table::{Goal, Table};
use crate::wire::send;

/// The time that the handler works on a point.
const BUSY: Duration = Duration::from_secs(5);

/// Works on each point for a fixed time.
#[udf(wants = stream, provides = stream)]
struct Busy {}

impl StreamUdf for Busy {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> UdfResult<()> {
        let until = Instant::now() + BUSY;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        Ok(out.pass(point)?)
    }
}

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("udf.sock");
    let server = Server::bind(&socket, UdfHandler::<Busy>::new)?;
    let stop = server.stopper();
    let serving = std::thread::spawn(move || server.serve());

    let mut stream = UnixStream::connect(&socket)?;
    send(&mut stream, Ask::Init(Init::default().into()))?;
    send(&mut stream, Ask::Point(messages::Point::default()))?;
    let mut frames = FrameReader::new(stream);
    let mut longest = Duration::ZERO;
    let (mut last_answer, mut signs) = (Instant::now(), 0);
    loop {
        let frame = frames.next_frame()?.ok_or("the connection has ended")?;
        match response::decode(frame)? {
            Some(Answer::Init(_)) => last_answer = Instant::now(),
            answer => {
                longest = longest.max(last_answer.elapsed());
                last_answer = Instant::now();
                if matches!(answer, Some(Answer::Point(_))) {
                    break;
                }
                signs += 1;
            }
        }
    }
    drop(frames);
    stop.stop();
    serving.join().map_err(|_| "the server has panicked")??;
    let goal = Goal::AtMost { reach: 300.0, beyond: 150.0 };
    table.row("longest silence of a busy connection", longest.as_secs_f64() * 1e3, "ms", goal);
    println!("    {signs} keepalives in {BUSY:?}");
    Ok(())
}
