//! Draws a replay.

use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex};

use udf_plot::{Picture, Settings, Track};
use udf_proto::Value;
use udf_text::options;

use super::error::ReplayError;
use super::tracks::{Tracks, locked};
use super::watch::Watch;
use super::{Connect, Progress, Replay, Summary, ask};

impl Replay {
    /// Plays `input` to a UDF as [`run`](Self::run) does, and makes a picture of the input and of
    /// the output.
    ///
    /// `output` gets the resulting points, if it is present. The memory for the picture is limited,
    /// however long the input is.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn picture(
        &self,
        connect: Connect<'_>,
        input: impl BufRead,
        output: Option<Box<dyn Write + Send + '_>>,
        plot: &Settings,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Summary, Picture), ReplayError> {
        let info = ask(connect)?;
        let calls = options::parse(&info, &self.options)?;
        let mut texts = Vec::new();
        for value in calls.into_iter().flat_map(|call| call.values) {
            if let Value::String(text) = value {
                texts.push(text);
            }
        }
        let received = Arc::new(Mutex::new(Track::new(plot, &[])));
        let tracks = Tracks {
            sent: Track::new(plot, &texts),
            received: Arc::clone(&received),
            prints: output.is_some(),
        };
        let mut watch = Watch { tracks: Some(tracks) };
        let output = output.unwrap_or_else(|| Box::new(io::sink()));
        let summary = self.play(&info, connect, input, output, progress, &mut watch)?;
        let sent = watch.tracks.take().expect("they are there").sent;
        let received = std::mem::take(&mut *locked(&received));
        Ok((summary, Picture::new(plot, &self.options, sent, received)))
    }
}
