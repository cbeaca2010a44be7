//! A small test UDF: it sends its input back, unless told otherwise.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use udf_host::{Interface, Loopback};
use udf_proto::frame::FrameReader;
use udf_proto::messages::{ErrorResponse, InitResponse, KeepaliveResponse, response};
use udf_proto::point::PointIndex;
use udf_proto::request::{Incoming, decode};
use udf_proto::{BeginBatch, EdgeType, EndBatch, Info, Init, PointBuf, ValueType, messages};

/// How the UDF handles its points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "not every test needs all of them")]
pub(crate) enum Does {
    /// Sends each point back at once.
    Echo,
    /// Sends the points back at the end of its input.
    Hoard,
    /// Sends each point back this many times.
    Repeat(usize),
    /// Sends the points back with a field that is not a number.
    NotANumber,
    /// Fails at this point, counted from 1.
    FailAt(usize),
}

/// The messages that the UDF got.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) opened: usize,
    pub(crate) inits: Vec<Init>,
    pub(crate) begins: Vec<BeginBatch>,
    pub(crate) ends: Vec<EndBatch>,
    pub(crate) points: Vec<PointBuf>,
}

#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) edge: EdgeType,
    pub(crate) does: Does,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl Peer {
    pub(crate) fn new(edge: EdgeType, does: Does) -> Self {
        Peer { edge, does, seen: Arc::default() }
    }

    pub(crate) fn info(&self) -> Info {
        let options = [
            ("field", vec![ValueType::String]),
            ("refuse", vec![ValueType::String]),
            ("size", vec![ValueType::Int]),
        ];
        let options = options.into_iter().map(|(name, types)| (name.to_owned(), types));
        Info { wants: self.edge, provides: self.edge, options: BTreeMap::from_iter(options) }
    }

    pub(crate) fn connect(&self) -> Box<dyn Interface> {
        let peer = self.clone();
        Box::new(Loopback::new(move |input, output| peer.serve(input, output)))
    }

    /// Serves one connection.
    fn serve(
        &self,
        input: impl Read,
        mut output: impl Write,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.seen.lock().unwrap().opened += 1;
        let (mut frames, mut index) = (FrameReader::new(input), PointIndex::new());
        let (mut spare, mut hoard, mut count) = (Vec::new(), Vec::new(), 0);
        while let Some(frame) = frames.next_frame()? {
            let mut out = Vec::new();
            match decode(frame, &mut index, &mut spare)? {
                Incoming::Info => {
                    let info = response::Message::Info(self.info().into());
                    udf_proto::response::append(info, &mut out);
                }
                Incoming::Init(init) => {
                    let init = init?;
                    let refused = init.options.iter().find(|call| call.name == "refuse");
                    let error = refused.map(|call| call.values[0].to_string()).unwrap_or_default();
                    let answer = InitResponse { success: error.is_empty(), error };
                    udf_proto::response::append(response::Message::Init(answer), &mut out);
                    self.seen.lock().unwrap().inits.push(init);
                }
                Incoming::Keepalive { time } => {
                    let echo = response::Message::Keepalive(KeepaliveResponse { time });
                    udf_proto::response::append(echo, &mut out);
                }
                Incoming::Begin(begin) => {
                    let message = response::Message::Begin(begin.clone().into());
                    udf_proto::response::append(message, &mut out);
                    self.seen.lock().unwrap().begins.push(begin);
                }
                Incoming::End(end) => {
                    udf_proto::response::append_end(&end, &mut out);
                    self.seen.lock().unwrap().ends.push(end);
                }
                Incoming::Point(point) => {
                    count += 1;
                    if self.does == Does::FailAt(count) {
                        let error = "the moon is full:\n  \"try\\again\" tomorrow".to_owned();
                        let error = response::Message::Error(ErrorResponse { error });
                        udf_proto::response::append(error, &mut out);
                        output.write_all(&out)?;
                        return Ok(());
                    }
                    let times = if let Does::Repeat(times) = self.does { times } else { 1 };
                    for _ in 0..times {
                        udf_proto::response::append_point(point, &mut out);
                    }
                    if self.does == Does::NotANumber {
                        let nan = messages::Point {
                            name: point.name().to_owned(),
                            fields_double: [("avg".to_owned(), f64::NAN)].into(),
                            ..Default::default()
                        };
                        let nan = PointBuf::from(nan);
                        udf_proto::response::append_point(nan.as_point(), &mut out);
                    }
                    self.seen.lock().unwrap().points.push(point.to_buf());
                }
                other => return Err(format!("{other:?} is not for replay").into()),
            }
            let point = self.seen.lock().unwrap().points.len() > hoard.len();
            if self.does == Does::Hoard && point {
                hoard.push(out);
            } else {
                output.write_all(&out)?;
            }
        }
        output.write_all(&hoard.concat())?;
        Ok(())
    }
}
