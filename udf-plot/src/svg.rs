//! Draws a picture as SVG.

use crate::chart::{Chart, Tick};
use crate::fit::{axis_name, clean, shortened, text_width, wrapped};
use crate::paper::{LINE, MARGIN, PX, Paper};
use crate::pen::{Ink, Pen};
use crate::picture::{Data, Form, Panel, Picture, Series, Side};
use crate::range::Range;
use crate::series::{Sample, thin};
use crate::settings::Look;
use crate::theme::Role;
use crate::time_axis::TimeAxis;
use crate::value_axis;

/// The space below a panel for the labels of its time axis, in pixels.
const TIMES: i32 = 24;

/// The opacity of a band.
const BAND: f64 = 0.25;

impl Picture {
    /// Returns the picture as an SVG document, without scripts and without references.
    pub fn svg(&self, look: &Look) -> String {
        let sheet = Sheet::new(self, look);
        sheet.paper.document(sheet.height, &|pen| sheet.draw(pen))
    }
}

/// A picture, and the places of its parts in pixels.
struct Sheet<'p> {
    picture: &'p Picture,
    paper: Paper,
    height: i32,
    /// The places of the entries of the legend.
    legend: Vec<(i32, i32)>,
    /// The first line below the texts.
    top: i32,
    columns: i32,
    /// Each panel: its place, its size, and whether it has the labels of times.
    cells: Vec<Cell<'p>>,
    notes: Vec<String>,
    time_label: Vec<String>,
}

struct Cell<'p> {
    panel: &'p Panel,
    x: i32,
    y: i32,
    width: i32,
    height: i32,
    is_first: bool,
    is_last: bool,
}

impl<'p> Sheet<'p> {
    fn new(picture: &'p Picture, look: &Look) -> Self {
        let paper = Paper::new(look, &picture.title, &picture.subtitle);
        let (width, inner, top) = (paper.width, paper.inner(), paper.top());
        let mut sheet = Sheet {
            picture,
            paper,
            height: 0,
            legend: Vec::new(),
            top,
            columns: 1,
            cells: Vec::new(),
            notes: Vec::new(),
            time_label: Vec::new(),
        };
        let (mut x, mut y) = (MARGIN, sheet.top);
        for key in &picture.legend {
            let needed = 26 + text_width(&key.name, 13) + 18;
            if x > MARGIN && x + needed > width - MARGIN {
                (x, y) = (MARGIN, y + LINE + 2);
            }
            sheet.legend.push((x, y));
            x += needed;
        }
        sheet.top = if picture.legend.is_empty() { y } else { y + LINE + 8 };
        sheet.place(inner);
        let bottom = sheet.cells.iter().map(|cell| cell.y + cell.height).max();
        let mut bottom = bottom.unwrap_or(sheet.top);
        if picture.times.is_some() {
            let label = sheet.axis(inner).label;
            sheet.time_label = wrapped(&label, inner - sheet.label_width(), 12);
            bottom += LINE * sheet.time_label.len() as i32 + 2;
        }
        sheet.notes = picture.notes.iter().flat_map(|note| wrapped(note, inner, 12)).collect();
        sheet.height = bottom + LINE * sheet.notes.len() as i32 + MARGIN;
        sheet
    }

    /// Places the panels: groups in columns, those of one group one below the other.
    fn place(&mut self, inner: i32) {
        let groups: Vec<&[Panel]> =
            self.picture.panels.chunk_by(|a, b| a.group == b.group).collect();
        self.columns = match (groups.len(), inner) {
            (..4, _) | (_, ..640) => 1,
            (..10, _) | (_, ..900) => 2,
            _ => 3,
        };
        let (gap, count) = (14, groups.len() as i32);
        let width = (inner - gap * (self.columns - 1)) / self.columns;
        let panel = match (count + self.columns - 1) / self.columns {
            ..2 => 300,
            2 | 3 => 170,
            _ => 130,
        };
        let mut y = self.top;
        for row in groups.chunks(self.columns as usize) {
            let mut bottom = y;
            for (column, panels) in row.iter().enumerate() {
                let x = MARGIN + column as i32 * (width + gap);
                let mut at = y;
                for (place, of_group) in panels.iter().enumerate() {
                    let (is_first, is_last) = (place == 0, place + 1 == panels.len());
                    let has_name = is_first && !of_group.group.is_empty();
                    let panel = if panels.len() > 1 { panel * 4 / 5 } else { panel };
                    let title = if has_name { LINE + 2 } else { 6 };
                    let height = panel + title + if is_last { TIMES } else { 4 };
                    self.cells.push(Cell {
                        panel: of_group,
                        x,
                        y: at,
                        width,
                        height,
                        is_first,
                        is_last,
                    });
                    at += height;
                }
                bottom = bottom.max(at);
            }
            y = bottom + 6;
        }
    }

    /// Returns the time axis of a panel of this width.
    fn axis(&self, width: i32) -> TimeAxis {
        let room = (width - self.label_width()) / 72;
        let times = self.picture.times.unwrap_or_default();
        TimeAxis::new(times, &self.picture.zone, room.max(1) as usize)
    }

    /// Returns the width of the labels of values, which is the same for all panels.
    fn label_width(&self) -> i32 {
        let labels = self.cells.iter().flat_map(|cell| ticks(cell.panel, plot_height(cell)));
        let longest = labels.map(|(_, label)| text_width(&label, 11)).max().unwrap_or(0);
        longest + 30
    }

    fn draw(&self, pen: &mut Pen<'_>) {
        for (key, (x, y)) in (0..).zip(&self.legend) {
            self.sample_of_key(pen, key, *x, *y);
            let name =
                shortened(&self.picture.legend[key].name, self.paper.width - 2 * MARGIN - 26, 13);
            self.paper.text(pen, &name, (x + 26, *y), (13, Role::Text, false));
        }
        let labels = self.label_width();
        for cell in &self.cells {
            self.panel(pen, cell, labels);
        }
        let bottom = self.cells.iter().map(|cell| cell.y + cell.height).max().unwrap_or(self.top);
        let mut y = bottom + 2;
        for line in &self.time_label {
            self.paper.text(pen, line, (MARGIN + labels, y), (12, Role::Muted, false));
            y += LINE;
        }
        for note in &self.notes {
            self.paper.text(pen, note, (MARGIN, y + 2), (12, Role::Muted, false));
            y += LINE;
        }
    }

    /// Returns the color of an entry of the legend: entries of one side have different ones.
    fn role(&self, key: usize) -> Role {
        let side = self.picture.legend[key].side;
        let before = self.picture.legend[..key].iter().filter(|key| key.side == side).count();
        if side == Side::Input { Role::Input(before) } else { Role::Output(before) }
    }

    fn ink(&self, key: usize) -> Ink {
        self.paper.ink(self.role(key))
    }

    fn line(&self, key: usize) -> Ink {
        // The output is in front, and must not hide the input.
        let width = if self.picture.legend[key].side == Side::Input { 5 } else { 7 };
        self.ink(key).width(width)
    }

    fn sample_of_key(&self, pen: &mut Pen<'_>, key: usize, x: i32, y: i32) {
        let (left, right, middle) = (x * PX, (x + 20) * PX, (y + 7) * PX);
        match self.picture.legend[key].form {
            Form::Line => pen.path(&[(left, middle), (right, middle)], self.line(key)),
            Form::Band => {
                let (top, bottom) = (middle - 5 * PX, middle + 5 * PX);
                pen.rectangle((left, top), (right, bottom), self.ink(key).opacity(BAND));
            }
            Form::Marks => {
                pen.circle((left + 10 * PX, middle), 4 * PX, self.ink(key).width(7), false);
            }
        }
    }

    fn panel(&self, pen: &mut Pen<'_>, cell: &Cell<'_>, labels: i32) {
        let has_name = cell.is_first && !cell.panel.group.is_empty();
        let title = if has_name { LINE + 2 } else { 6 };
        if has_name {
            let name = shortened(&cell.panel.group, cell.width - labels, 13);
            self.paper.text(pen, &name, (cell.x + labels, cell.y + 2), (13, Role::Text, true));
        }
        let chart = Chart::new(
            (cell.x, cell.y + title),
            (cell.width, cell.height - title),
            labels,
            if cell.is_last { TIMES } else { 4 },
        );
        let axis = self.axis(cell.width);
        let range = Range { low: cell.panel.values.0, high: cell.panel.values.1 };
        let span = axis.end.abs_diff(axis.start).max(1) as f64;
        let share = |time: i64| (i128::from(time) - i128::from(axis.start)) as f64 / span;
        let mut times: Vec<Tick<'_>> = Vec::new();
        for (time, label) in &axis.ticks {
            times.push((share(*time), if cell.is_last { label } else { "" }));
        }
        let ticks = ticks(cell.panel, plot_height(cell));
        let mut values: Vec<Tick<'_>> = Vec::new();
        for (value, label) in &ticks {
            values.push((range.share(*value), label));
        }
        let name = clean(&axis_name(&cell.panel.label, plot_height(cell)));
        chart.axes(pen, &self.paper, (&name, None), &times, &values);
        let columns = (cell.width - labels).max(1) as u32;
        let thinned = |run: &[Sample]| {
            let mut places = Vec::new();
            for sample in thin(run, (axis.start, axis.end), columns) {
                places.push(chart.place(share(sample.time), range.share(sample.value)));
            }
            places
        };
        for Series { key, data } in &cell.panel.series {
            match data {
                Data::Line(runs) => {
                    for run in runs {
                        match &thinned(run)[..] {
                            [one] => pen.circle(*one, 2 * PX, self.ink(*key), true),
                            run => pen.path(run, self.line(*key)),
                        }
                    }
                }
                Data::Band(runs) => {
                    for (lower, upper) in runs {
                        let (mut edge, lower) = (thinned(upper), thinned(lower));
                        edge.extend(lower.into_iter().rev());
                        pen.area(&edge, self.ink(*key).opacity(BAND));
                    }
                }
                Data::Marks(marks) => {
                    for mark in thinned(marks) {
                        pen.circle(mark, 4 * PX, self.ink(*key).width(7), false);
                    }
                }
            }
        }
    }
}

fn plot_height(cell: &Cell<'_>) -> i32 {
    let title = if cell.is_first && !cell.panel.group.is_empty() { LINE + 2 } else { 6 };
    cell.height - title - if cell.is_last { TIMES } else { 4 }
}

fn ticks(panel: &Panel, height: i32) -> Vec<(f64, String)> {
    let range = Range { low: panel.values.0, high: panel.values.1 };
    value_axis::ticks(range, (height / 32).clamp(2, 8) as usize)
}
