//! Draws a picture as text, for a terminal.

use std::fmt::Write;

use crate::canvas::Canvas;
use crate::picture::{Data, Form, Key, Panel, Picture, Side};
use crate::range::Range;
use crate::series::{Sample, thin};
use crate::time_axis::TimeAxis;
use crate::value_axis;

/// The least lines of a panel, with its name.
const LEAST: usize = 6;

/// The most lines of a panel, with its name.
const MOST: usize = 16;

/// The colors of series, as ANSI codes: one for inputs, the others for outputs.
const INPUT: u8 = 34;
const OUTPUTS: [u8; 5] = [33, 35, 36, 32, 31];

/// The signs of outputs without colors.
const SIGNS: [char; 5] = ['*', '+', 'x', 'o', '#'];

impl Picture {
    /// Returns the picture as lines of text for a terminal of this size. If not all panels fit, the
    /// first ones are drawn, with a note.
    ///
    /// With `has_color`, the text contains ANSI codes. Without, each series has a sign.
    pub fn text(&self, columns: usize, rows: usize, has_color: bool) -> String {
        let columns = columns.clamp(40, 400);
        let mut text = format!("{}\n{}\n", cut(&self.title, columns), cut(&self.subtitle, columns));
        let mut notes = self.notes.clone();
        if let Some(times) = self.times {
            let looks = self.looks(has_color);
            text += &legend(&self.legend, &looks, columns);
            // The prompt of the shell needs a line, too.
            let used = text.lines().count() + 2 + notes.len() + 1;
            let fitting = (rows.saturating_sub(used) / LEAST).clamp(1, self.panels.len());
            let height = (rows.saturating_sub(used) / fitting).clamp(LEAST, MOST);
            if fitting < self.panels.len() {
                notes.push(format!(
                    "{fitting} of {} panels fit; --plot FILE.svg draws all of them",
                    self.panels.len()
                ));
            }
            let shown = &self.panels[..fitting];
            let ticks = |panel: &Panel| value_axis::ticks(range(panel), (height / 4).max(2));
            let labels = shown.iter().flat_map(ticks).map(|(_, label)| label.chars().count());
            let left = labels.max().unwrap_or(0) + 2;
            let width = columns - left;
            let axis = TimeAxis::new(times, &self.zone, (width / 14).max(1));
            for panel in shown {
                let name = match panel.group.as_str() {
                    "" => panel.label.clone(),
                    group => format!("{group}: {}", panel.label),
                };
                let _ = writeln!(text, "{:left$}{}", "", cut(&name, width));
                let size = (width, height - 1);
                text += &self.panel(panel, &axis, &ticks(panel), left, size, &looks);
            }
            text += &times_line(&axis, left, width);
            let _ = writeln!(text, "{:left$}{}", "", cut(&axis.label, width));
        }
        for note in &notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }

    /// Returns the look of each entry of the legend.
    fn looks(&self, has_color: bool) -> Vec<Look> {
        let look = |(place, key): (usize, &Key)| {
            let before = self.legend[..place].iter().filter(|other| other.side == key.side).count();
            let (color, sign) = match key.side {
                Side::Input => (INPUT, '.'),
                Side::Output => (OUTPUTS[before % OUTPUTS.len()], SIGNS[before % SIGNS.len()]),
            };
            match (has_color, key.form) {
                (true, Form::Line) => Look { color: Some(color), sign: None },
                (true, Form::Band) => Look { color: Some(color), sign: Some('░') },
                (true, Form::Marks) => Look { color: Some(color), sign: Some('●') },
                (false, _) => Look { color: None, sign: Some(sign) },
            }
        };
        self.legend.iter().enumerate().map(look).collect()
    }

    fn panel(
        &self,
        panel: &Panel,
        axis: &TimeAxis,
        ticks: &[(f64, String)],
        left: usize,
        (width, height): (usize, usize),
        looks: &[Look],
    ) -> String {
        let mut canvas = Canvas::new(width, height);
        let range = range(panel);
        let place = |sample: Sample| {
            let span = axis.end.abs_diff(axis.start).max(1) as f64;
            let share = axis.start.abs_diff(sample.time) as f64 / span;
            (share, 1.0 - range.share(sample.value))
        };
        let thinned = |run: &[Sample]| thin(run, (axis.start, axis.end), 2 * width as u32);
        for series in &panel.series {
            match &series.data {
                Data::Line(runs) => {
                    for run in runs {
                        canvas.line(series.key, thinned(run).into_iter().map(place));
                    }
                }
                Data::Band(runs) => {
                    for (lower, upper) in runs {
                        let (lower, upper) = (thinned(lower), thinned(upper));
                        let edges = lower.into_iter().map(place).zip(upper.into_iter().map(place));
                        canvas.band(series.key, edges);
                    }
                }
                Data::Marks(marks) => {
                    thinned(marks)
                        .into_iter()
                        .map(place)
                        .for_each(|mark| canvas.mark(series.key, mark));
                }
            }
        }
        let row_of =
            |value: f64| ((1.0 - range.share(value)) * (height - 1) as f64).round() as usize;
        let mut text = String::new();
        for row in 0..height {
            let tick = ticks.iter().find(|(value, _)| row_of(*value) == row);
            let (label, axis) = tick.map_or(("", '│'), |(_, label)| (label.as_str(), '┤'));
            let _ = write!(text, "{label:>0$}{axis}", left - 1);
            let mut current = None;
            for column in 0..width {
                let cell = canvas.cell(column, row);
                let look = cell.map(|(key, _)| &looks[key]);
                let color = look.and_then(|look| look.color);
                if color != current && (color.is_some() || current.is_some()) {
                    let _ = write!(text, "\x1b[{}m", color.unwrap_or(0));
                    current = color;
                }
                text.push(match (look, cell) {
                    (Some(look), Some((_, dots))) => look.sign.unwrap_or(dots),
                    _ => ' ',
                });
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push_str(if current.is_some() { "\x1b[0m\n" } else { "\n" });
        }
        text
    }
}

/// How a series looks.
struct Look {
    color: Option<u8>,
    /// `None` for a line of dots.
    sign: Option<char>,
}

fn range(panel: &Panel) -> Range {
    Range { low: panel.values.0, high: panel.values.1 }
}

/// Returns the lines of the legend.
fn legend(keys: &[Key], looks: &[Look], columns: usize) -> String {
    let (mut text, mut used) = (String::new(), 0);
    for (key, look) in keys.iter().zip(looks) {
        let sign: String = [look.sign.unwrap_or('─'); 2].iter().collect();
        let name = cut(&key.name, columns - 6);
        let needed = name.chars().count() + 6;
        if used > 0 && used + needed > columns {
            text.push('\n');
            used = 0;
        }
        used += needed;
        let _ = match look.color {
            Some(color) => write!(text, "\x1b[{color}m{sign}\x1b[0m {name}   "),
            None => write!(text, "{sign} {name}   "),
        };
    }
    text.truncate(text.trim_end().len());
    if text.is_empty() { text } else { text + "\n" }
}

/// Returns the line with the labels of times, where they do not touch.
fn times_line(axis: &TimeAxis, left: usize, width: usize) -> String {
    let mut line = vec![' '; left + width];
    let mut free = 0;
    let span = axis.end.abs_diff(axis.start).max(1) as f64;
    for (time, label) in &axis.ticks {
        let column =
            (axis.start.abs_diff(*time) as f64 / span * (width - 1) as f64).round() as usize;
        let length = label.chars().count();
        let start = (left + column).saturating_sub(length / 2);
        if start >= free && start + length <= line.len() {
            for (place, letter) in label.chars().enumerate() {
                line[start + place] = letter;
            }
            free = start + length + 1;
        }
    }
    let line: String = line.into_iter().collect();
    format!("{}\n", line.trim_end())
}

/// Cuts a text that is too long, and replaces characters that would control the terminal.
fn cut(text: &str, most: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    match text.chars().count() > most {
        true => clean.take(most.saturating_sub(1)).chain(['…']).collect(),
        false => clean.collect(),
    }
}
