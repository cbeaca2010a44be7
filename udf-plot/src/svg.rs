//! Draws a picture as SVG.

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::{Color, ShapeStyle, TRANSPARENT};

use crate::axes::{Times, Values};
use crate::fit::{axis_name, clean, shortened, text_width, wrapped};
use crate::paper::{Area, Drawn, LINE, MARGIN, PX, Paper};
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
        sheet.paper.document(sheet.height, &|area| sheet.draw(area))
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

    fn draw(&self, area: &Area<'_>) -> Drawn {
        for (key, (x, y)) in (0..).zip(&self.legend) {
            self.sample_of_key(area, key, *x, *y)?;
            let name =
                shortened(&self.picture.legend[key].name, self.paper.width - 2 * MARGIN - 26, 13);
            self.paper.text(area, &name, (x + 26, *y), (13, Role::Text, false))?;
        }
        let labels = self.label_width();
        for cell in &self.cells {
            self.panel(area, cell, labels)?;
        }
        let bottom = self.cells.iter().map(|cell| cell.y + cell.height).max().unwrap_or(self.top);
        let mut y = bottom + 2;
        for line in &self.time_label {
            self.paper.text(area, line, (MARGIN + labels, y), (12, Role::Muted, false))?;
            y += LINE;
        }
        for note in &self.notes {
            self.paper.text(area, note, (MARGIN, y + 2), (12, Role::Muted, false))?;
            y += LINE;
        }
        Ok(())
    }

    /// Returns the color of an entry of the legend: entries of one side have different ones.
    fn role(&self, key: usize) -> Role {
        let side = self.picture.legend[key].side;
        let before = self.picture.legend[..key].iter().filter(|key| key.side == side).count();
        if side == Side::Input { Role::Input(before) } else { Role::Output(before) }
    }

    fn line(&self, key: usize) -> ShapeStyle {
        // The output is in front, and must not hide the input.
        let width = if self.picture.legend[key].side == Side::Input { 5 } else { 7 };
        self.paper.color(self.role(key)).stroke_width(width)
    }

    fn sample_of_key(&self, area: &Area<'_>, key: usize, x: i32, y: i32) -> Drawn {
        let (left, right, middle) = (x * PX, (x + 20) * PX, (y + 7) * PX);
        let color = self.paper.color(self.role(key));
        match self.picture.legend[key].form {
            Form::Line => {
                area.draw(&PathElement::new([(left, middle), (right, middle)], self.line(key)))?;
            }
            Form::Band => {
                let corners = [(left, middle - 5 * PX), (right, middle + 5 * PX)];
                area.draw(&Rectangle::new(corners, color.mix(BAND).filled()))?;
            }
            Form::Marks => {
                area.draw(&Circle::new((x * PX + 10 * PX, middle), 4 * PX, self.mark(key)))?;
            }
        }
        Ok(())
    }

    fn mark(&self, key: usize) -> ShapeStyle {
        self.paper.color(self.role(key)).stroke_width(7)
    }

    fn panel(&self, area: &Area<'_>, cell: &Cell<'_>, labels: i32) -> Drawn {
        let has_name = cell.is_first && !cell.panel.group.is_empty();
        let title = if has_name { LINE + 2 } else { 6 };
        if has_name {
            let name = shortened(&cell.panel.group, cell.width - labels, 13);
            self.paper.text(area, &name, (cell.x + labels, cell.y + 2), (13, Role::Text, true))?;
        }
        let (left, top) = (cell.x * PX, (cell.y + title) * PX);
        let size = ((cell.width * PX) as u32, ((cell.height - title) * PX) as u32);
        let part = area.clone().shrink((left, top), size);
        let axis = self.axis(cell.width);
        let range = Range { low: cell.panel.values.0, high: cell.panel.values.1 };
        let times = Times { axis: &axis, has_labels: cell.is_last };
        let values = Values { range, ticks: ticks(cell.panel, plot_height(cell)) };
        let mut chart = ChartBuilder::on(&part)
            .margin_right(2 * PX)
            .x_label_area_size(if cell.is_last { TIMES * PX } else { 4 * PX })
            .y_label_area_size(labels * PX)
            .build_cartesian_2d(times, values)?;
        let mut mesh = chart.configure_mesh();
        let mesh = mesh
            .bold_line_style(self.paper.color(Role::Grid).stroke_width(PX as u32))
            .light_line_style(TRANSPARENT)
            .axis_style(self.paper.color(Role::Axis).stroke_width(PX as u32))
            .label_style(self.paper.font(11, Role::Muted, false))
            .axis_desc_style(self.paper.font(11, Role::Muted, false))
            .set_all_tick_mark_size(4 * PX)
            .y_desc(clean(&axis_name(&cell.panel.label, plot_height(cell))));
        mesh.draw()?;
        let columns = (cell.width - labels).max(1) as u32;
        let inside = |sample: Sample| (sample.time, sample.value);
        let thinned = |run: &[Sample]| thin(run, (axis.start, axis.end), columns);
        for Series { key, data } in &cell.panel.series {
            let color = self.paper.color(self.role(*key));
            match data {
                Data::Line(runs) => {
                    for run in runs {
                        let run: Vec<_> = thinned(run).into_iter().map(inside).collect();
                        let style = self.line(*key);
                        match run[..] {
                            [one] => drop(chart.draw_series([Circle::new(
                                one,
                                2 * PX,
                                color.filled(),
                            )])?),
                            _ => drop(chart.draw_series([PathElement::new(run, style)])?),
                        }
                    }
                }
                Data::Band(runs) => {
                    for (lower, upper) in runs {
                        let upper = thinned(upper).into_iter().map(inside);
                        let lower = thinned(lower).into_iter().rev().map(inside);
                        let edge: Vec<_> = upper.chain(lower).collect();
                        chart.draw_series([Polygon::new(edge, color.mix(BAND).filled())])?;
                    }
                }
                Data::Marks(marks) => {
                    let marks = thinned(marks).into_iter().map(inside);
                    chart.draw_series(
                        marks.map(|mark| Circle::new(mark, 4 * PX, self.mark(*key))),
                    )?;
                }
            }
        }
        Ok(())
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
