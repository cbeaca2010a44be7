//! Computes the group of a point as Kapacitor does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use udf_proto::messages::Point;

/// How points are grouped, as `.groupBy(...)` in a TICKscript.
///
/// ```
/// use udf_text::line_protocol::Grouping;
///
/// assert_eq!(Grouping::parse("host, cpu"), Grouping::by(["cpu", "host"]));
/// assert_eq!(Grouping::parse("*"), Grouping::by_all_tags());
/// assert_eq!(Grouping::parse(""), Grouping::none());
///
/// // As text, for messages.
/// assert_eq!(Grouping::by(["host", "cpu"]).to_string(), "cpu, host");
/// assert_eq!(Grouping::by_all_tags().by_name(true).to_string(), "all tags and the measurement");
/// assert_eq!(Grouping::none().to_string(), "no tags");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    all: bool,
    tags: BTreeSet<String>,
    by_name: bool,
}

impl Grouping {
    /// Puts all points into one group with an empty name.
    pub fn none() -> Self {
        Grouping::default()
    }

    /// Groups by the values of these tags. A missing tag counts as an empty value.
    pub fn by(tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Grouping { tags: tags.into_iter().map(Into::into).collect(), ..Grouping::default() }
    }

    /// Groups by all tags of a point, so that each series is a group.
    pub fn by_all_tags() -> Self {
        Grouping { all: true, ..Grouping::default() }
    }

    /// Parses names of tags, separated by commas. `*` means all tags.
    pub fn parse(names: &str) -> Self {
        let names = || names.split(',').map(str::trim).filter(|name| !name.is_empty());
        if names().any(|name| name == "*") {
            Grouping::by_all_tags()
        } else {
            Grouping::by(names())
        }
    }

    /// Sets whether the name of the measurement is part of the group. Defaults to `false`.
    pub fn by_name(mut self, by_name: bool) -> Self {
        self.by_name = by_name;
        self
    }

    /// Returns the tags to group by, sorted. Returns none if all tags of a point are used.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(String::as_str)
    }

    /// Returns whether all tags of a point are used.
    pub fn has_all_tags(&self) -> bool {
        self.all
    }

    /// Returns whether the name of the measurement is part of the group.
    pub fn is_by_name(&self) -> bool {
        self.by_name
    }

    /// Sets the dimensions and the group of a point.
    pub fn apply(&self, point: &mut Point) {
        point.dimensions = self.dimensions(&point.tags);
        point.group = self.group(&point.name, &point.tags, &point.dimensions);
        point.by_name = self.by_name;
    }

    /// Returns the dimensions of a point with these tags, sorted as in Kapacitor.
    fn dimensions(&self, tags: &BTreeMap<String, String>) -> Vec<String> {
        if self.all { tags.keys().cloned().collect() } else { self.tags.iter().cloned().collect() }
    }

    /// Returns the group of a point with these `dimensions`.
    fn group(&self, name: &str, tags: &BTreeMap<String, String>, dimensions: &[String]) -> String {
        let mut group = String::new();
        if self.by_name {
            group.push_str(name);
        }
        for (i, tag) in dimensions.iter().enumerate() {
            match i {
                0 if self.by_name => group.push('\n'),
                0 => {}
                _ => group.push(','),
            }
            group.push_str(tag);
            group.push('=');
            group.push_str(tags.get(tag).map_or("", String::as_str));
        }
        group
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.all, self.tags.is_empty()) {
            (true, _) => f.write_str("all tags")?,
            (false, true) => f.write_str("no tags")?,
            (false, false) => {
                for (i, tag) in self.tags.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    f.write_str(tag)?;
                }
            }
        }
        f.write_str(if self.by_name { " and the measurement" } else { "" })
    }
}
