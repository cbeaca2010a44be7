//! Notes about results that are valid but may be unintended.

use udf_text::line_protocol::Precision;

use super::{FileData, Summary, UnseenTag};

impl Summary {
    /// Returns notes about results that are valid but may be unintended, one sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = of_the_input(&self.unseen_tags, self.likely_precision);
        if self.skipped_ticks > 0 {
            notes.push(format!(
                "{} ticks were left out, because a gap between two times in the input is too long",
                self.skipped_ticks
            ));
        }
        match (self.points_in, self.points_out) {
            (0, _) => notes.push("there are no points in the input".to_owned()),
            (1, 0) => notes.push("one point was played, and nothing came back".to_owned()),
            (points, 0) => {
                notes.push(format!("{points} points were played, and nothing came back"));
            }
            _ => {}
        }
        notes
    }
}

impl FileData {
    /// Returns notes about data that is valid but may be unintended, one sentence each.
    pub fn notes(&self) -> Vec<String> {
        of_the_input(&self.unseen_tags, self.likely_precision)
    }
}

fn of_the_input(unseen_tags: &[UnseenTag], likely_precision: Option<Precision>) -> Vec<String> {
    unseen_tags.iter().map(ToString::to_string).chain(likely_precision.map(unit_note)).collect()
}

/// Returns a note about the unit that all times seem to have; see
/// [`LineReader::likely_precision`].
///
/// [`LineReader::likely_precision`]: udf_text::line_protocol::LineReader::likely_precision
fn unit_note(unit: Precision) -> String {
    let name = match unit {
        Precision::Microseconds => "microseconds",
        Precision::Milliseconds => "milliseconds",
        _ => "seconds",
    };
    format!(
        "all times were read as nanoseconds and are in January 1970; they look like {name}: \
         use --precision {unit}"
    )
}
