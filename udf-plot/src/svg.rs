//! Draws a picture as SVG.

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, ShapeStyle, TRANSPARENT, TextStyle};

use crate::picture::{Data, Form, Panel, Picture, Series, Side};
use crate::range::Range;
use crate::series::{Sample, thin};
use crate::settings::{Look, Theme};
use crate::theme::{self, Role};
use crate::time_axis::TimeAxis;
use crate::value_axis;

/// The library draws at whole units, and a pixel has this many of them.
const PX: i32 = 4;

/// The space at the edges, in pixels.
const MARGIN: i32 = 16;
/// The height of a line of text, in pixels.
const LINE: i32 = 18;
/// The space below a panel for the labels of its time axis, in pixels.
const TIMES: i32 = 24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), Box<dyn std::error::Error + 'a>>;

impl Picture {
    /// Returns the picture as an SVG document, without scripts and without references.
    pub fn svg(&self, look: &Look) -> String {
        let sheet = Sheet::new(self, look);
        let mut svg = String::new();
        let size = ((sheet.width * PX).unsigned_abs(), (sheet.height * PX).unsigned_abs());
        {
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            sheet.draw(&area).expect("text in memory takes everything");
            area.present().expect("text in memory takes everything");
        }
        sheet.framed(&svg)
    }
}

/// A picture, and the places of its parts in pixels.
struct Sheet<'p> {
    picture: &'p Picture,
    theme: Theme,
    width: i32,
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
        let width = i32::try_from(look.width).unwrap_or(i32::MAX).clamp(280, 8_000);
        let inner = width - 2 * MARGIN;
        let mut sheet = Sheet {
            picture,
            theme: look.theme,
            width,
            height: 0,
            legend: Vec::new(),
            top: MARGIN + 26 + LINE,
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

    fn draw<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        area.fill(&Role::Background.color(self.theme))?;
        let title = shortened(&self.picture.title, self.width - 2 * MARGIN, 17);
        self.text(area, &title, (MARGIN, MARGIN), 17, Role::Text, true)?;
        let subtitle = shortened(&self.picture.subtitle, self.width - 2 * MARGIN, 12);
        self.text(area, &subtitle, (MARGIN, MARGIN + 24), 12, Role::Muted, false)?;
        for (key, (x, y)) in (0..).zip(&self.legend) {
            self.sample_of_key(area, key, *x, *y)?;
            let name = shortened(&self.picture.legend[key].name, self.width - 2 * MARGIN - 26, 13);
            self.text(area, &name, (x + 26, *y), 13, Role::Text, false)?;
        }
        let labels = self.label_width();
        for cell in &self.cells {
            self.panel(area, cell, labels)?;
        }
        let bottom = self.cells.iter().map(|cell| cell.y + cell.height).max().unwrap_or(self.top);
        let mut y = bottom + 2;
        for line in &self.time_label {
            self.text(area, line, (MARGIN + labels, y), 12, Role::Muted, false)?;
            y += LINE;
        }
        for note in &self.notes {
            self.text(area, note, (MARGIN, y + 2), 12, Role::Muted, false)?;
            y += LINE;
        }
        Ok(())
    }

    fn text<'a>(
        &self,
        area: &Area<'a>,
        text: &str,
        (x, y): (i32, i32),
        size: i32,
        role: Role,
        is_bold: bool,
    ) -> Drawn<'a> {
        let style = self.font(size, role, is_bold).pos(Pos::new(HPos::Left, VPos::Top));
        Ok(area.draw(&Text::new(clean(text), (x * PX, y * PX), style))?)
    }

    fn font(&self, size: i32, role: Role, is_bold: bool) -> TextStyle<'static> {
        let weight = if is_bold { FontStyle::Bold } else { FontStyle::Normal };
        // The library divides sizes by this factor.
        let size = f64::from(size * PX) * 1.24;
        let font = FontDesc::new(FontFamily::Name("system-ui, sans-serif"), size, weight);
        font.color(&role.color(self.theme))
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
        self.role(key).color(self.theme).stroke_width(width)
    }

    fn sample_of_key<'a>(&self, area: &Area<'a>, key: usize, x: i32, y: i32) -> Drawn<'a> {
        let (left, right, middle) = (x * PX, (x + 20) * PX, (y + 7) * PX);
        let color = self.role(key).color(self.theme);
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
        self.role(key).color(self.theme).stroke_width(7)
    }

    fn panel<'a>(&self, area: &Area<'a>, cell: &Cell<'_>, labels: i32) -> Drawn<'a> {
        let has_name = cell.is_first && !cell.panel.group.is_empty();
        let title = if has_name { LINE + 2 } else { 6 };
        if has_name {
            let name = shortened(&cell.panel.group, cell.width - labels, 13);
            self.text(area, &name, (cell.x + labels, cell.y + 2), 13, Role::Text, true)?;
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
            .set_left_and_bottom_label_area_size(0)
            .x_label_area_size(if cell.is_last { TIMES * PX } else { 4 * PX })
            .y_label_area_size(labels * PX)
            .build_cartesian_2d(times, values)?;
        let mut mesh = chart.configure_mesh();
        let mesh = mesh
            .bold_line_style(Role::Grid.color(self.theme).stroke_width(PX as u32))
            .light_line_style(TRANSPARENT)
            .axis_style(Role::Axis.color(self.theme).stroke_width(PX as u32))
            .label_style(self.font(11, Role::Muted, false))
            .axis_desc_style(self.font(11, Role::Muted, false))
            .set_all_tick_mark_size(4 * PX)
            .y_desc(clean(&axis_name(&cell.panel.label, plot_height(cell))));
        mesh.draw()?;
        let columns = (cell.width - labels).max(1) as u32;
        let inside = |sample: Sample| (sample.time, sample.value);
        let thinned = |run: &[Sample]| thin(run, (axis.start, axis.end), columns);
        for Series { key, data } in &cell.panel.series {
            let color = self.role(*key).color(self.theme);
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

    /// Gives the drawing its size in pixels, its title for screen readers, and its style sheet.
    fn framed(&self, svg: &str) -> String {
        let body = svg.split_once('>').map_or("", |(_, body)| body);
        let style = match self.theme {
            Theme::Auto => format!("<style>{}</style>", theme::auto()),
            Theme::Light | Theme::Dark => String::new(),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{0}\" height=\"{1}\" \
             viewBox=\"0 0 {2} {3}\">\n<title>{4}</title>\n{style}{body}",
            self.width,
            self.height,
            self.width * PX,
            self.height * PX,
            escaped(&clean(&self.picture.title)),
        )
    }
}

/// The opacity of a band.
const BAND: f64 = 0.25;

fn plot_height(cell: &Cell<'_>) -> i32 {
    let title = if cell.is_first && !cell.panel.group.is_empty() { LINE + 2 } else { 6 };
    cell.height - title - if cell.is_last { TIMES } else { 4 }
}

fn ticks(panel: &Panel, height: i32) -> Vec<(f64, String)> {
    let range = Range { low: panel.values.0, high: panel.values.1 };
    value_axis::ticks(range, (height / 32).clamp(2, 8) as usize)
}

/// The time axis for the library.
struct Times<'a> {
    axis: &'a TimeAxis,
    has_labels: bool,
}

impl Ranged for Times<'_> {
    type FormatOption = NoDefaultFormatting;
    type ValueType = i64;

    fn map(&self, value: &i64, limit: (i32, i32)) -> i32 {
        let span = self.axis.end.abs_diff(self.axis.start).max(1) as f64;
        let offset = i128::from(*value) - i128::from(self.axis.start);
        between(limit, offset as f64 / span)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<i64> {
        let times = self.axis.ticks.iter().map(|(time, _)| *time);
        if hint.weight().allow_light_points() && hint.bold_points() == 0 {
            Vec::new()
        } else {
            times.collect()
        }
    }

    fn range(&self) -> std::ops::Range<i64> {
        self.axis.start..self.axis.end
    }
}

impl ValueFormatter<i64> for Times<'_> {
    fn format_ext(&self, value: &i64) -> String {
        if self.has_labels { label(&self.axis.ticks, *value) } else { String::new() }
    }
}

/// The value axis for the library.
struct Values {
    range: Range,
    ticks: Vec<(f64, String)>,
}

impl Ranged for Values {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        between(limit, self.range.share(*value))
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.low..self.range.high
    }
}

impl ValueFormatter<f64> for Values {
    fn format_ext(&self, value: &f64) -> String {
        label(&self.ticks, *value)
    }
}

fn label<T: PartialEq>(ticks: &[(T, String)], value: T) -> String {
    let tick = ticks.iter().find(|(tick, _)| *tick == value);
    tick.map(|(_, label)| label.clone()).unwrap_or_default()
}

fn between((from, to): (i32, i32), share: f64) -> i32 {
    (f64::from(from) + f64::from(to - from) * share).round() as i32
}

/// Returns about how wide a text is, since the fonts of the viewer are unknown.
fn text_width(text: &str, size: i32) -> i32 {
    text.chars().count() as i32 * size * 56 / 100
}

/// Returns how many characters fit.
fn room(width: i32, size: i32) -> usize {
    (width.max(0) * 100 / (size * 56)) as usize
}

/// Cuts a text that is too wide.
fn shortened(text: &str, width: i32, size: i32) -> String {
    let room = room(width, size).max(2);
    match text.chars().count() > room {
        true => text.chars().take(room - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// Returns as many names as fit, of names that are separated by commas.
fn axis_name(names: &str, width: i32) -> String {
    if names.chars().count() <= room(width, 11) {
        return names.to_owned();
    }
    let starts = names.rmatch_indices(", ").map(|(end, _)| format!("{}, …", &names[..end]));
    let mut starts = starts.filter(|start| start.chars().count() <= room(width, 11));
    starts.next().unwrap_or_else(|| shortened(names, width, 11))
}

/// Cuts a text into lines between its words.
fn wrapped(text: &str, width: i32, size: i32) -> Vec<String> {
    let room = room(width, size);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.into_iter().map(|line| shortened(&line, width, size)).collect()
}

/// Replaces characters that XML cannot contain.
fn clean(text: &str) -> String {
    let is_bad = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if is_bad(c) { '\u{fffd}' } else { c }).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
