//! A plot with a time axis or another one below it, and a value axis on its left.

use crate::fit::text_width;
use crate::paper::{PX, Paper};
use crate::pen::{HPos, Pen, Place, VPos};
use crate::theme::Role;

/// The length of the mark of a tick.
const MARK: i32 = 4 * PX;

/// The size of the labels of ticks, in pixels.
const LABEL: i32 = 11;

/// How far a label of the axis below may reach beyond the right edge of the plot. It is less than the
/// space beside a plot: at the edge of the paper, and between two columns.
const BEYOND: i32 = 10 * PX;

/// The place of a plot. Places in it are shares of its width and height, from the bottom left.
pub(crate) struct Chart {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
    /// The width of the labels of the value axis.
    labels: i32,
    /// The height of those of the other axis.
    below: i32,
}

/// A tick: its share of the axis, and its label.
pub(crate) type Tick<'t> = (f64, &'t str);

impl Chart {
    /// Creates a plot within a rectangle, in pixels: its top left, and its size. `labels` is the
    /// width of the labels on the left, and `below` the height of those below the plot.
    pub(crate) fn new(
        (x, y): (i32, i32),
        (width, height): (i32, i32),
        labels: i32,
        below: i32,
    ) -> Self {
        Chart {
            left: (x + labels) * PX,
            top: y * PX,
            // Lines at the edges are inside.
            right: (x + width - 2) * PX - 1,
            bottom: (y + height - below) * PX - 1,
            labels: labels * PX,
            below: below * PX,
        }
    }

    /// Returns a place in the plot.
    pub(crate) fn place(&self, x: f64, y: f64) -> Place {
        (between(self.left, self.right, x), between(self.bottom, self.top, y))
    }

    /// Draws the grid and both axes. `names` are those of the value axis and of the other one.
    pub(crate) fn axes(
        &self,
        pen: &mut Pen<'_>,
        paper: &Paper,
        names: (&str, Option<&str>),
        below: &[Tick<'_>],
        values: &[Tick<'_>],
    ) {
        let Chart { left, top, right, bottom, .. } = *self;
        let font = paper.font(LABEL, Role::Muted, false);
        let mut upright = font.at(HPos::Center, VPos::Top);
        upright.is_upright = true;
        pen.text(names.0, (left - self.labels, top + (bottom + 1 - top) / 2), &upright);
        if let Some(name) = names.1 {
            let place = (left + (right + 1 - left) / 2, bottom + 1 + self.below);
            pen.text(name, place, &font.at(HPos::Center, VPos::Bottom));
        }
        let grid = paper.ink(Role::Grid).width(PX.unsigned_abs());
        for (share, _) in below {
            let (x, _) = self.place(*share, 0.0);
            pen.line((x, bottom), (x, top), grid);
        }
        for (share, _) in values {
            let (_, y) = self.place(0.0, *share);
            pen.line((left, y), (right, y), grid);
        }
        let axis = paper.ink(Role::Axis).width(PX.unsigned_abs());
        let edge = left - 1;
        pen.path(&[(edge, top), (edge, bottom)], axis);
        let is_inside = |share: &f64| (0.0..=1.0).contains(share);
        for (share, label) in values.iter().filter(|(share, _)| is_inside(share)) {
            let (_, y) = self.place(0.0, *share);
            pen.text(label, (edge + 1 - 2 * MARK, y), &font.at(HPos::Right, VPos::Center));
            pen.path(&[(edge - MARK, y), (edge, y)], axis);
        }
        let edge = bottom + 1;
        pen.path(&[(left, edge), (right, edge)], axis);
        let mut free = i32::MIN;
        for (share, label) in below.iter().filter(|(share, _)| is_inside(share)) {
            let (x, _) = self.place(*share, 0.0);
            let half = text_width(label, LABEL) * PX / 2;
            // A label at the right edge moves to the left, unless it would cover the one before.
            let middle = x.min(right + BEYOND - half);
            if middle == x || middle - half >= free {
                pen.text(label, (middle, edge + 2 * MARK), &font.at(HPos::Center, VPos::Top));
            }
            free = middle + half;
            pen.path(&[(x, edge), (x, edge + MARK)], axis);
        }
    }
}

fn between(from: i32, to: i32, share: f64) -> i32 {
    (f64::from(from) + f64::from(to - from) * share).round() as i32
}
