//! The group of a point, as Kapacitor computes it.

use std::collections::{BTreeMap, BTreeSet};

use udf_proto::messages::Point;

/// What points are grouped by: `.groupBy(...)` in a TICKscript.
///
/// ```
/// use udf_text::line_protocol::Grouping;
///
/// assert_eq!(Grouping::parse("host, cpu"), Grouping::by(["cpu", "host"]));
/// assert_eq!(Grouping::parse("*"), Grouping::by_all_tags());
/// assert_eq!(Grouping::parse(""), Grouping::none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    all: bool,
    tags: BTreeSet<String>,
    by_name: bool,
}

impl Grouping {
    /// All points are in one group, whose name is empty.
    pub fn none() -> Self {
        Grouping::default()
    }

    /// By the values of these tags. A point that lacks one is in the group where it is empty.
    pub fn by(tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Grouping { tags: tags.into_iter().map(Into::into).collect(), ..Grouping::default() }
    }

    /// By all tags that a point has: every series is a group of its own.
    pub fn by_all_tags() -> Self {
        Grouping { all: true, ..Grouping::default() }
    }

    /// Reads the names of tags, separated by commas; `*` stands for all tags.
    pub fn parse(names: &str) -> Self {
        let names = || names.split(',').map(str::trim).filter(|name| !name.is_empty());
        if names().any(|name| name == "*") {
            Grouping::by_all_tags()
        } else {
            Grouping::by(names())
        }
    }

    /// Also by the name of the measurement, or not.
    pub fn with_name(mut self, by_name: bool) -> Self {
        self.by_name = by_name;
        self
    }

    /// Whether the measurement's name is part of the group.
    pub fn by_name(&self) -> bool {
        self.by_name
    }

    /// The tags that points are grouped by, sorted; none for all tags that a point has.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(String::as_str)
    }

    /// Sets what the point is grouped by, and the group to which its tags bring it.
    pub fn apply(&self, point: &mut Point) {
        point.dimensions = self.dimensions(&point.tags);
        point.group = self.group(&point.name, &point.tags, &point.dimensions);
        point.by_name = self.by_name;
    }

    /// The names of the tags by which a point with these tags is grouped, sorted as Kapacitor does.
    fn dimensions(&self, tags: &BTreeMap<String, String>) -> Vec<String> {
        if self.all { tags.keys().cloned().collect() } else { self.tags.iter().cloned().collect() }
    }

    /// The group of a point, by its `dimensions`.
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
