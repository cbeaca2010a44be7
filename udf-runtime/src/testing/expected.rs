//! Compares the output with the expected lines, and shows differences.

use std::fmt::Write as _;

use super::lines::{self, Line};

/// The output that a test expects.
pub(super) struct Expected {
    lines: Vec<Line>,
    in_any_order: bool,
    tolerance: f64,
    /// Whether the text has lines that begin batches. Otherwise, only points are compared.
    pub(super) has_batches: bool,
}

impl Expected {
    pub(super) fn parse(text: &str, tolerance: f64) -> Result<Self, String> {
        let lines = lines::expected(text)?;
        let has_batches = lines.iter().any(|line| line.is_batch);
        Ok(Expected { lines, in_any_order: false, tolerance, has_batches })
    }

    pub(super) fn in_any_order(self) -> Self {
        Expected { in_any_order: true, ..self }
    }

    /// Returns the number of lines to compare.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Names the expected output.
    pub(super) fn awaited(&self) -> String {
        let count = self.lines.iter().filter(|line| line.is_batch == self.has_batches).count();
        let what = if self.has_batches { ("batch", "batches") } else { ("point", "points") };
        if count == 1 { format!("one {}", what.0) } else { format!("{count} {}", what.1) }
    }

    /// Returns the lines of the output that are compared.
    pub(super) fn compared(&self, came: Vec<Line>) -> Vec<Line> {
        came.into_iter().filter(|line| self.has_batches || !line.is_batch).collect()
    }

    /// Returns the difference between the expected and the received lines, if any.
    pub(super) fn difference(&self, came: &[Line]) -> Option<String> {
        let rows = if self.in_any_order { self.unordered(came) } else { self.ordered(came) };
        if rows.iter().all(|row| matches!(row, Row::Both(_))) {
            return None;
        }
        let points = |lines: &[Line]| lines.iter().filter(|line| !line.is_batch).count();
        let mut text = format!(
            "the output differs from the expected points{} ({} received, {} expected):",
            if self.in_any_order { ", in any order" } else { "" },
            points(came),
            points(&self.lines)
        );
        for row in rows {
            let shown = match row {
                Row::Both(line) => write!(text, "\n    {line}"),
                Row::Expected(line) => write!(text, "\n  - {line}"),
                Row::Received(line) => write!(text, "\n  + {line}"),
            };
            shown.expect("a string takes all that is written");
        }
        text.push_str("\n  (- expected, + received");
        if self.tolerance > 0.0 {
            write!(text, ", tolerance {:?}", self.tolerance).expect("a string takes all");
        }
        text.push(')');
        Some(text)
    }

    fn ordered<'a>(&'a self, came: &'a [Line]) -> Vec<Row<'a>> {
        let mut rows = Vec::new();
        for at in 0..self.lines.len().max(came.len()) {
            match (self.lines.get(at), came.get(at)) {
                (Some(line), Some(came)) if line.fits(came, self.tolerance) => {
                    rows.push(Row::Both(came));
                }
                (line, came) => {
                    rows.extend(line.map(Row::Expected));
                    rows.extend(came.map(Row::Received));
                }
            }
        }
        rows
    }

    /// Matches the units of both sides: points, or whole batches, whose points keep their order.
    fn unordered<'a>(&'a self, came: &'a [Line]) -> Vec<Row<'a>> {
        let came = units(came);
        let mut is_met = vec![false; came.len()];
        let mut expected = units(&self.lines);
        // A unit without times fits many others, so it gets what the more exact ones leave.
        expected.sort_by_key(|unit| unit.iter().filter(|line| line.time.is_none()).count());
        let mut missing = Vec::new();
        for unit in expected {
            let fits = |came: &[Line]| {
                let mut pairs = unit.iter().zip(came);
                unit.len() == came.len()
                    && pairs.all(|(line, came)| line.fits(came, self.tolerance))
            };
            match (0..came.len()).find(|&at| !is_met[at] && fits(came[at])) {
                Some(at) => is_met[at] = true,
                None => missing.extend(unit.iter().map(Row::Expected)),
            }
        }
        let received = came.into_iter().zip(is_met).flat_map(|(unit, is_met)| {
            unit.iter().map(move |line| if is_met { Row::Both(line) } else { Row::Received(line) })
        });
        let (both, other): (Vec<_>, Vec<_>) = received.partition(|row| matches!(row, Row::Both(_)));
        both.into_iter().chain(missing).chain(other).collect()
    }
}

/// A row of a difference.
enum Row<'a> {
    Both(&'a Line),
    Expected(&'a Line),
    Received(&'a Line),
}

/// Cuts lines into batches with their points, and points without a batch.
fn units(lines: &[Line]) -> Vec<&[Line]> {
    let is_in_batches = lines.first().is_some_and(|line| line.is_batch);
    lines.chunk_by(|_, next| is_in_batches && !next.is_batch).collect()
}
