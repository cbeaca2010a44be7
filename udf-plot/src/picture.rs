//! A picture as plain data: panels, series, notes. See `svg` and `text` for its forms.

use crate::series::Sample;
use crate::zone::Zone;

/// A picture of the input and the output of a UDF.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The UDF and its options.
    pub title: String,
    /// The source of the points, and their numbers.
    pub subtitle: String,
    /// The legend. Each series refers to an entry.
    pub legend: Vec<Key>,
    /// The panels, those of one group after the other.
    pub panels: Vec<Panel>,
    /// The first and the last time, in nanoseconds since the epoch.
    pub times: Option<(i64, i64)>,
    /// Facts that the picture does not show by itself, such as the number of other groups.
    pub notes: Vec<String>,
    pub(crate) zone: Zone,
}

/// An entry of the legend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The name of the series: the field, and its side.
    pub name: String,
    /// The side.
    pub side: Side,
    /// The form of the series.
    pub form: Form,
}

/// The side of a UDF from which values come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The points that the UDF gets.
    Input,
    /// The points that the UDF sends.
    Output,
}

/// The form of a series, from back to front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// The area between two fields, such as `lower` and `upper`.
    Band,
    /// A line through the values.
    Line,
    /// Single points.
    Marks,
}

/// Series of one group with the same range of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The group, such as `cpu=cpu0`. Empty without grouping.
    pub group: String,
    /// The fields of the panel, for its value axis.
    pub label: String,
    /// The least and the greatest value of the axis.
    pub values: (f64, f64),
    /// The series, from back to front.
    pub series: Vec<Series>,
}

/// The values of one entry of the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The place in the legend.
    pub key: usize,
    /// The values.
    pub data: Data,
}

/// Values over time. Gaps separate runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// A line for each run. A run of one sample is a dot.
    Line(Vec<Vec<Sample>>),
    /// The lower and the upper edge of each run.
    Band(Vec<(Vec<Sample>, Vec<Sample>)>),
    /// Single points.
    Marks(Vec<Sample>),
}

impl Data {
    /// Iterates over all samples.
    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        let (runs, band, marks) = match self {
            Data::Line(runs) => (&runs[..], &[][..], &[][..]),
            Data::Band(runs) => (&[][..], &runs[..], &[][..]),
            Data::Marks(marks) => (&[][..], &[][..], &marks[..]),
        };
        let edges = band.iter().flat_map(|(lower, upper)| lower.iter().chain(upper));
        runs.iter().flatten().chain(edges).chain(marks).copied()
    }
}

impl Panel {
    /// Shows all samples to `see`.
    pub(crate) fn see_samples(&self, see: &mut dyn FnMut(&Sample)) {
        for series in &self.series {
            match &series.data {
                Data::Line(runs) => runs.iter().for_each(|run| run.iter().for_each(&mut *see)),
                Data::Band(runs) => runs.iter().for_each(|(lower, upper)| {
                    lower.iter().for_each(&mut *see);
                    upper.iter().for_each(&mut *see);
                }),
                Data::Marks(marks) => marks.iter().for_each(&mut *see),
            }
        }
    }
}

impl Picture {
    /// Gives two pictures of the same input the same axes.
    pub fn share_axes(&mut self, other: &mut Picture) {
        let times = match (self.times, other.times) {
            (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.max(two.1))),
            (one, two) => one.or(two),
        };
        (self.times, other.times) = (times, times);
        for panel in &mut self.panels {
            let same =
                |other: &&mut Panel| (&other.group, other.place()) == (&panel.group, panel.place());
            if let Some(same) = other.panels.iter_mut().find(same) {
                let (one, two) = (panel.values, same.values);
                panel.values = (one.0.min(two.0), one.1.max(two.1));
                same.values = panel.values;
            }
        }
    }
}

impl Panel {
    /// Returns the field that the panel begins with.
    fn place(&self) -> &str {
        self.label.split(", ").next().unwrap_or_default()
    }
}
