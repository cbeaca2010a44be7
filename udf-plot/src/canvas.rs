//! Lines and marks in cells of characters.

/// The dots of a cell in the order of their bits: two columns of four.
const DOTS: [[u8; 4]; 2] = [[0, 1, 2, 6], [3, 4, 5, 7]];

/// The first character of Braille patterns, which has no dots.
const BRAILLE: u32 = 0x2800;

/// Cells of characters. Places are shares of the width and of the height, from the top left.
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    /// The series in front, and its dots.
    cells: Vec<Option<(usize, u8)>>,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Canvas { width, height, cells: vec![None; width * height] }
    }

    /// Returns the series in a cell, and its dots as a character.
    pub(crate) fn cell(&self, column: usize, row: usize) -> Option<(usize, char)> {
        let (series, dots) = self.cells[row * self.width + column]?;
        Some((series, char::from_u32(BRAILLE + u32::from(dots)).unwrap_or(' ')))
    }

    /// Draws a line through points.
    pub(crate) fn line(&mut self, series: usize, points: impl Iterator<Item = (f64, f64)>) {
        let mut before = None;
        for point in points {
            let (x, y) = self.dot(point);
            let (from_x, from_y) = before.unwrap_or((x, y));
            let steps = x.abs_diff(from_x).max(y.abs_diff(from_y)).max(1);
            for step in 0..=steps {
                let between = |from: usize, to: usize| {
                    let share = step as f64 / steps as f64;
                    (from as f64 + (to as f64 - from as f64) * share).round() as usize
                };
                self.set(series, between(from_x, x), between(from_y, y));
            }
            before = Some((x, y));
        }
    }

    /// Fills the cells between two edges.
    pub(crate) fn band(
        &mut self,
        series: usize,
        edges: impl Iterator<Item = ((f64, f64), (f64, f64))>,
    ) {
        let mut before = None;
        for (lower, upper) in edges {
            let ((x, low), (_, high)) = (self.dot(lower), self.dot(upper));
            let from = before.unwrap_or(x);
            for column in from.min(x)..=from.max(x) {
                (high.min(low)..=high.max(low)).for_each(|y| self.set(series, column, y));
            }
            before = Some(x);
        }
    }

    /// Draws a point.
    pub(crate) fn mark(&mut self, series: usize, point: (f64, f64)) {
        let (x, y) = self.dot(point);
        self.set(series, x, y);
    }

    fn dot(&self, (x, y): (f64, f64)) -> (usize, usize) {
        let place = |share: f64, count: usize| (share * (count - 1) as f64).round() as usize;
        (place(x, 2 * self.width), place(y, 4 * self.height))
    }

    /// Sets a dot. A series hides those behind it.
    fn set(&mut self, series: usize, x: usize, y: usize) {
        let (x, y) = (x.min(2 * self.width - 1), y.min(4 * self.height - 1));
        let cell = &mut self.cells[y / 4 * self.width + x / 2];
        let dots = cell.filter(|(front, _)| *front == series).map_or(0, |(_, dots)| dots);
        *cell = Some((series, dots | 1 << DOTS[x % 2][y % 4]));
    }
}
