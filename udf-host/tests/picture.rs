//! Pictures of a replay: both sides are collected, for streams and for batches.

#![allow(clippy::unwrap_used)]

mod peer;

use std::io::Write;
use std::sync::{Arc, Mutex};

use peer::{Does, Peer};
use udf_host::replay::{Replay, ReplayError};
use udf_plot::{Form, Picture, Settings, Side};
use udf_proto::EdgeType;
use udf_text::line_protocol::Grouping;

const INPUT: &str = "m,h=a x=1,y=5 1\nm,h=b x=2,y=5 2\nm,h=a x=3,y=5 3\n";

/// An output that can be read.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Plays the input with `-o field=x`, grouped by `h`. Returns the number of points that came back.
fn played(peer: &Peer, output: Option<Output>) -> Result<(u64, Picture), ReplayError> {
    let replay = Replay::default().options(["field=x"]).grouping(Grouping::by(["h"]));
    let settings = Settings { name: "echo".to_owned(), utc: true, ..Settings::default() };
    let output = output.map(|output| Box::new(output) as Box<dyn Write + Send>);
    let connect = || peer.connect();
    let played = replay.picture(&connect, INPUT.as_bytes(), output, &settings, &mut |_| {});
    played.map(|(summary, picture)| (summary.points_out, picture))
}

/// Returns the groups of the panels, and the names of the series.
fn parts(picture: &Picture) -> (Vec<&str>, Vec<&str>) {
    let groups = picture.panels.iter().map(|panel| panel.group.as_str()).collect();
    (groups, picture.legend.iter().map(|key| key.name.as_str()).collect())
}

#[test]
fn streams_and_batches_are_collected_on_both_sides() {
    for edge in [EdgeType::Stream, EdgeType::Batch] {
        let (points, picture) = played(&Peer::new(edge, Does::Echo), None).unwrap();
        assert_eq!(points, 3);
        assert_eq!(parts(&picture), (vec!["h=a", "h=b"], vec!["x (input)"]));
        assert_eq!((&*picture.title, &*picture.subtitle), ("echo field=x", "3 points in, 3 out"));
        assert_eq!(picture.notes, ["the output has the same values as the input"]);
        assert_eq!((picture.legend[0].side, picture.legend[0].form), (Side::Input, Form::Line));
    }
}

#[test]
fn the_output_is_printed_as_without_a_picture() {
    let output = Output::default();
    let (points, _) =
        played(&Peer::new(EdgeType::Stream, Does::Echo), Some(output.clone())).unwrap();
    let printed = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    assert_eq!((points, printed.lines().count()), (3, 3), "{printed}");
    assert!(printed.contains("m,h=b x=2.0,y=5.0 2\n"), "{printed}");
}

#[test]
fn values_that_cannot_be_printed_are_a_note() {
    let peer = Peer::new(EdgeType::Stream, Does::NotANumber);
    let (_, picture) = played(&peer, None).unwrap();
    assert!(
        picture.notes.contains(&"3 values are not finite: left out".to_owned()),
        "{:?}",
        picture.notes
    );
    let printed = played(&peer, Some(Output::default()));
    assert!(matches!(printed, Err(ReplayError::Unwritable { count: 3, .. })));
}

#[test]
fn a_udf_that_fails_has_no_picture() {
    let failed = played(&Peer::new(EdgeType::Stream, Does::FailAt(2)), None);
    assert!(matches!(failed, Err(ReplayError::Udf(_))));
}
