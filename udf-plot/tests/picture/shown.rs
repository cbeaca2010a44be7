//! Makes pictures, and their structure as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use udf_plot::{Data, Groups, Picture, Settings, Track};
use udf_proto::{PointBuf, messages};

/// A second, in nanoseconds.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// 2026-03-01 12:00:00 UTC.
pub(crate) const NOON: i64 = 1_772_366_400 * SECOND;

/// A point of the group `host=HOST`, or without a group.
pub(crate) fn point(host: &str, time: i64, fields: &[(&str, f64)]) -> messages::Point {
    let (mut group, mut tags, mut dimensions) = (String::new(), BTreeMap::new(), Vec::new());
    if !host.is_empty() {
        group = format!("host={host}");
        tags.insert("host".to_owned(), host.to_owned());
        dimensions.push("host".to_owned());
    }
    let fields_double = fields.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    messages::Point { time, group, tags, dimensions, fields_double, ..Default::default() }
}

/// What a picture is made of.
pub(crate) struct Made {
    pub(crate) settings: Settings,
    input: Track,
    output: Track,
}

impl Made {
    /// `texts` are the texts in the options of the UDF.
    pub(crate) fn new(groups: Groups, fields: &[&str], texts: &[&str]) -> Self {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        let name = "made".to_owned();
        let settings = Settings { name, groups, fields, utc: true, ..Settings::default() };
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        let (input, output) = (Track::new(&settings, &texts), Track::new(&settings, &[]));
        Made { settings, input, output }
    }

    pub(crate) fn input(&mut self, point: messages::Point) {
        self.input.point(PointBuf::from(point).as_point());
    }

    pub(crate) fn output(&mut self, point: messages::Point) {
        self.output.point(PointBuf::from(point).as_point());
    }

    pub(crate) fn picture(self) -> Picture {
        Picture::new(&self.settings, &[], self.input, self.output)
    }
}

/// Returns the structure of a picture, one line for each part.
pub(crate) fn shown(picture: &Picture) -> String {
    let mut text = String::new();
    for panel in &picture.panels {
        let (low, high) = panel.values;
        let _ = writeln!(text, "[{}] {} {}..{}", panel.group, panel.label, short(low), short(high));
        for series in &panel.series {
            let form = match &series.data {
                Data::Line(runs) => {
                    let lengths: Vec<_> = runs.iter().map(Vec::len).collect();
                    format!("line {lengths:?}")
                }
                Data::Band(runs) => {
                    let lengths: Vec<_> = runs.iter().map(|(l, u)| (l.len(), u.len())).collect();
                    format!("band {lengths:?}")
                }
                Data::Marks(marks) => {
                    let values: Vec<_> = marks.iter().map(|mark| short(mark.value)).collect();
                    format!("marks {}", values.join(" "))
                }
            };
            let _ = writeln!(text, "  {}: {form}", picture.legend[series.key].name);
        }
    }
    for note in &picture.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// Returns the first three digits after the point: sines differ in the last ones.
fn short(value: f64) -> String {
    match value.abs() < 1e6 {
        true => ((value * 1e3).round() / 1e3).to_string(),
        false => format!("{value:e}"),
    }
}
