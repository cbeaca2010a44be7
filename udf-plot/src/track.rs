//! Collects the points of one side: the input of a UDF, or its output.

use udf_proto::Point;
use udf_proto::point::FieldValue;
use udf_text::batch::WholeBatch;

use crate::checks::{Checks, Hashes, hash};
use crate::series::{Sample, Samples};
use crate::settings::{Groups, Settings};

/// The most fields of one side whose values are collected, besides the wanted ones.
const FIELDS: usize = 16;

/// The most fields of one side whose names are known.
const NAMES: usize = 256;

/// The most groups that are counted, besides those in the picture.
const COUNTED: usize = 1 << 17;

/// Collects the points of one side of a UDF in bounded memory.
///
/// ```
/// use udf_plot::{Picture, Settings, Track};
/// use udf_proto::{PointBuf, messages};
///
/// let settings = Settings { name: "mirror".to_owned(), ..Settings::default() };
/// let (mut input, mut output) = (Track::new(&settings, &[]), Track::new(&settings, &[]));
/// for time in 0..10 {
///     let fields_double = [("value".to_owned(), time as f64)].into();
///     let point = PointBuf::from(messages::Point { time, fields_double, ..Default::default() });
///     input.point(point.as_point());
///     output.point(point.as_point());
/// }
/// let picture = Picture::new(&settings, &[], input, output);
/// assert_eq!(picture.notes, ["the output has the same values as the input"]);
/// ```
#[derive(Debug, Default)]
pub struct Track {
    keep: Groups,
    wanted: Vec<String>,
    /// The groups of the picture so far, in the order of their names.
    pub(crate) groups: Vec<Group>,
    /// The hashes of all other groups.
    pub(crate) others: Hashes,
    /// The fields of all groups, in the order in which they came.
    pub(crate) fields: Vec<Field>,
    /// The number of points.
    pub(crate) points: u64,
    /// The number of values that are infinite or not a number.
    pub(crate) unfit: u64,
    pub(crate) checks: Checks,
}

/// A name with values of one kind.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    is_collected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Bool,
    Text,
}

/// A group of the picture.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// The samples of numbers, and the times of true, of each field.
    series: Vec<Samples>,
}

impl Group {
    fn push(&mut self, field: usize, sample: Sample) {
        if self.series.len() <= field {
            self.series.resize_with(field + 1, Samples::default);
        }
        self.series[field].push(sample);
    }

    /// Takes the samples of a field, if there are any.
    pub(crate) fn take(&mut self, field: usize) -> Option<Samples> {
        let samples = self.series.get_mut(field).filter(|samples| samples.count > 0)?;
        Some(std::mem::take(samples))
    }
}

impl Track {
    /// Creates a track without points. `texts` are the texts in the options of the UDF: the field
    /// that such a text names is wanted.
    pub fn new(settings: &Settings, texts: &[String]) -> Self {
        Track {
            keep: settings.groups.clone(),
            wanted: settings.fields.iter().chain(texts).cloned().collect(),
            groups: Vec::new(),
            others: Hashes::default(),
            fields: Vec::new(),
            points: 0,
            unfit: 0,
            checks: Checks::default(),
        }
    }

    /// Collects a point that is not part of a batch.
    pub fn point(&mut self, point: Point<'_>) {
        match point.group() {
            // Points of another kit may come without their group.
            "" if point.dimensions().next().is_some() => {
                let tag = |name| (name, point.tag(name).unwrap_or_default());
                let name = point.by_name().then_some(point.name());
                self.add(&group_name(name, point.dimensions().map(tag)), point);
            }
            group => self.add(group, point),
        }
    }

    /// Collects the points of a batch.
    pub fn batch(&mut self, batch: &WholeBatch) {
        let tags = batch.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let group = group_name(batch.by_name.then_some(&batch.name), tags);
        batch.points.iter().for_each(|point| self.add(&group, point));
    }

    fn add(&mut self, group: &str, point: Point<'_>) {
        self.points += 1;
        let Some(of_group) = self.place(group).ok().or_else(|| self.enter(group)) else { return };
        for (place, (name, value)) in point.fields().enumerate() {
            let (kind, value) = match value {
                FieldValue::Bool(value) => (Kind::Bool, f64::from(u8::from(value))),
                FieldValue::String(_) => (Kind::Text, 0.0),
                value => (Kind::Number, value.number().unwrap_or(f64::NAN)),
            };
            let Some(field) = self.field(place, name, kind) else { continue };
            match kind {
                Kind::Number if !value.is_finite() => {
                    self.unfit += 1;
                    continue;
                }
                Kind::Number => self.checks.add(field, name, group, point.time(), value),
                Kind::Bool if value == 0.0 => continue,
                Kind::Bool => {}
                Kind::Text => continue,
            }
            if self.fields[field].is_collected {
                self.groups[of_group].push(field, Sample { time: point.time(), value });
            }
        }
    }

    /// Returns the place of a group, or the place to insert it at.
    pub(crate) fn place(&self, group: &str) -> Result<usize, usize> {
        self.groups.binary_search_by(|other| other.name.as_str().cmp(group))
    }

    /// Adds a group to the picture, in place of a later one if there are too many. Returns its
    /// place if the group is in the picture.
    fn enter(&mut self, group: &str) -> Option<usize> {
        let enters = match &self.keep {
            Groups::Named(names) => names.iter().any(|name| name == group),
            Groups::First(most) => {
                let is_full = self.groups.len() >= (*most).clamp(1, Groups::MOST);
                match self.groups.last() {
                    // A group that has left the picture stays behind all groups in it, so no group
                    // of the picture misses any of its points.
                    Some(last) if is_full && group > last.name.as_str() => false,
                    Some(_) if is_full => {
                        if let Some(last) = self.groups.pop() {
                            self.leave(&last.name);
                        }
                        true
                    }
                    _ => true,
                }
            }
        };
        if !enters {
            self.leave(group);
            return None;
        }
        let place = self.place(group).unwrap_or_else(|place| place);
        self.groups.insert(place, Group { name: group.to_owned(), series: Vec::new() });
        Some(place)
    }

    fn leave(&mut self, group: &str) {
        if self.others.len() < COUNTED {
            self.others.insert(hash(&[group.as_bytes()]));
        }
    }

    /// Returns whether there are more groups than counted.
    pub(crate) fn has_uncounted(&self) -> bool {
        self.others.len() >= COUNTED
    }

    /// Finds or adds a field. The fields of most points have the same places.
    fn field(&mut self, place: usize, name: &str, kind: Kind) -> Option<usize> {
        let is_it = |field: &Field| field.kind == kind && field.name == name;
        if self.fields.get(place).is_some_and(is_it) {
            return Some(place);
        }
        let known = self.fields.iter().position(is_it);
        if known.is_some() || self.fields.len() >= NAMES {
            return known;
        }
        let collected = self.fields.iter().filter(|field| field.is_collected).count();
        let is_wanted = self.is_wanted(name);
        let is_collected = kind != Kind::Text && (is_wanted || collected < FIELDS);
        self.fields.push(Field { name: name.to_owned(), kind, is_collected });
        Some(self.fields.len() - 1)
    }

    /// Returns the collected fields of a kind.
    pub(crate) fn collected(&self, kind: Kind) -> impl Iterator<Item = (usize, &str)> {
        let fields = self.fields.iter().enumerate();
        let fields = fields.filter(move |(_, field)| field.kind == kind && field.is_collected);
        fields.map(|(place, field)| (place, field.name.as_str()))
    }

    /// Returns whether the user, or an option of the UDF, names the field.
    pub(crate) fn is_wanted(&self, name: &str) -> bool {
        self.wanted.iter().any(|wanted| wanted == name)
    }

    /// Returns the number of samples of a field.
    pub(crate) fn count(&self, field: usize) -> u64 {
        self.groups.iter().filter_map(|group| group.series.get(field)).map(|s| s.count).sum()
    }
}

/// Returns the name of a group, as Kapacitor does.
fn group_name<'t>(
    measurement: Option<&str>,
    tags: impl Iterator<Item = (&'t str, &'t str)>,
) -> String {
    let tags: Vec<_> = tags.map(|(name, value)| format!("{name}={value}")).collect();
    match (measurement, tags.is_empty()) {
        (None, _) => tags.join(","),
        (Some(measurement), true) => measurement.to_owned(),
        (Some(measurement), false) => format!("{measurement}\n{}", tags.join(",")),
    }
}
