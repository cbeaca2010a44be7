//! A group that can be kept, saved, and sent into.

mod saved;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use udf_proto::point::PointEdit;
use udf_proto::{BeginBatch, Point};

use crate::agent::edge::{Edge, Stream};
use crate::agent::emitter::{Emitter, OpenBatch, ProvidesBatches, ProvidesStream};

/// A group of Kapacitor: the name of a measurement, and the tags that the data is grouped by.
///
/// A group is made from a point or from the begin of a batch, and outlives both. Use
/// [`Emitter::build_in`](crate::Emitter::build_in) and
/// [`Emitter::begin_in`](crate::Emitter::begin_in) to send into it. Two groups are equal if their
/// [`id`](Self::id) is equal, as in Kapacitor.
///
/// ```
/// use udf_runtime::{BeginBatch, Group};
///
/// let begin = BeginBatch {
///     name: "cpu".to_owned(),
///     group: "host=a".to_owned(),
///     tags: [("host".to_owned(), "a".to_owned())].into(),
///     ..BeginBatch::default()
/// };
/// let group = Group::from(&begin);
/// assert_eq!((group.id(), group.name(), group.tag("host")), ("host=a", "cpu", Some("a")));
/// assert!(group.dimensions().eq(["host"]));
/// ```
///
/// A group takes one block of memory, which holds its id, its name, and each tag. It can be saved
/// with serde, also as `#[state]`.
#[derive(Clone)]
pub struct Group {
    /// The lengths of the texts, four bytes each, and then the texts: the id, the name, and the
    /// name and the value of each tag.
    bytes: Box<[u8]>,
    /// The number of tags.
    tags: u32,
    by_name: bool,
    /// Whether the name and the tags are known, and not only the id.
    is_complete: bool,
}

/// The number of texts before the tags: the id and the name.
const BEFORE_TAGS: usize = 2;

/// The tags of a point with more dimensions are looked up in a table.
const FEW: usize = 64;

impl Group {
    /// Creates a group of its parts. The tags are in the order of the dimensions.
    pub(crate) fn new(id: &str, name: &str, by_name: bool, tags: &[(&str, &str)]) -> Self {
        Group { by_name, is_complete: true, ..Group::pack(id, name, tags) }
    }

    /// Creates a group of which only the id is known.
    pub(crate) fn of_id(id: &str) -> Self {
        Group::pack(id, "", &[])
    }

    fn pack(id: &str, name: &str, tags: &[(&str, &str)]) -> Self {
        let tag_texts = tags.iter().flat_map(|(name, value)| [*name, *value]);
        let texts = [id, name].into_iter().chain(tag_texts);
        let lengths = 4 * (BEFORE_TAGS + 2 * tags.len());
        let all = lengths + texts.clone().map(str::len).sum::<usize>();
        let mut bytes = Vec::with_capacity(all);
        for text in texts.clone() {
            let length = u32::try_from(text.len()).expect("a text of a point is below 4 GiB");
            bytes.extend(length.to_le_bytes());
        }
        texts.for_each(|text| bytes.extend(text.as_bytes()));
        let tags = u32::try_from(tags.len()).expect("a point has fewer than 2^32 tags");
        Group { bytes: bytes.into(), tags, by_name: false, is_complete: false }
    }

    /// Returns the id of the group, as Kapacitor writes it: `tag=value,tag=value`, and the name of
    /// the measurement before the tags if [`by_name`](Self::by_name) is true.
    pub fn id(&self) -> &str {
        self.text(0)
    }

    /// Returns the name of the measurement. Unless the data is grouped by name, other points of the
    /// group can have other names.
    pub fn name(&self) -> &str {
        self.text(1)
    }

    /// Returns the tags that the data is grouped by, in the order of the dimensions. A point that
    /// lacks such a tag counts as one with an empty value.
    pub fn tags(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + Clone {
        let name_of = |tag| BEFORE_TAGS + 2 * tag;
        (0..self.tags as usize)
            .map(move |tag| (self.text(name_of(tag)), self.text(name_of(tag) + 1)))
    }

    /// Returns the value of a tag that the data is grouped by.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags().find(|(tag, _)| *tag == name).map(|(_, value)| value)
    }

    /// Returns the names of the tags that the data is grouped by.
    pub fn dimensions(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.tags().map(|(tag, _)| tag)
    }

    /// Returns whether the name of the measurement is part of the group.
    pub fn by_name(&self) -> bool {
        self.by_name
    }

    /// Returns whether the name and the tags are known, and not only the id.
    ///
    /// Only the id is known if [`Groups`](crate::state::Groups) was asked for a group by its id, or
    /// if the snapshot of an earlier version was restored. The next point of the group completes
    /// it.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the bytes of the id. Faster than the id, which is checked to be text.
    #[inline]
    pub(crate) fn id_bytes(&self) -> &[u8] {
        let start = 4 * (BEFORE_TAGS + 2 * self.tags as usize);
        &self.bytes[start..start + self.length(0)]
    }

    #[inline]
    fn length(&self, text: usize) -> usize {
        let length = self.bytes[4 * text..].first_chunk().expect("each text has a length");
        u32::from_le_bytes(*length) as usize
    }

    fn text(&self, text: usize) -> &str {
        let lengths = 4 * (BEFORE_TAGS + 2 * self.tags as usize);
        let start = lengths + (0..text).map(|before| self.length(before)).sum::<usize>();
        let bytes = &self.bytes[start..start + self.length(text)];
        std::str::from_utf8(bytes).expect("the group was made of text")
    }
}

/// The group of data that is not grouped, and has no name.
impl Default for Group {
    fn default() -> Self {
        Group::new("", "", false, &[])
    }
}

/// The group of a point.
///
/// Within a batch, a point has no dimensions. They are then taken from the id. If the id does not
/// consist of tags of the point, the group is not complete.
impl From<Point<'_>> for Group {
    fn from(point: Point<'_>) -> Self {
        group_of(point).unwrap_or_else(|| Group::pack(point.group(), point.name(), &[]))
    }
}

/// The group of a point, as from a `Point`.
impl From<&Point<'_>> for Group {
    fn from(point: &Point<'_>) -> Self {
        Group::from(*point)
    }
}

/// The group of a batch. All tags of the batch are dimensions.
impl From<&BeginBatch> for Group {
    fn from(begin: &BeginBatch) -> Self {
        let tags = begin.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Group::new(&begin.group, &begin.name, begin.by_name, &tags.collect::<Vec<_>>())
    }
}

/// The begin of a batch in the group.
impl From<&Group> for BeginBatch {
    fn from(group: &Group) -> Self {
        BeginBatch {
            name: group.name().to_owned(),
            group: group.id().to_owned(),
            tags: group.tags().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            size: 0,
            by_name: group.by_name,
        }
    }
}

/// Returns the group of a point. Returns `None` if its dimensions are not known.
pub(crate) fn group_of(point: Point<'_>) -> Option<Group> {
    let (id, name) = (point.group(), point.name());
    let has_dimensions = point.dimensions().next().is_some();
    let are_many = point.dimensions().nth(FEW).is_some() || id.split(',').nth(FEW).is_some();
    let table: Option<HashMap<&str, &str>> = are_many.then(|| point.tags().collect());
    let value = |tag: &str| match &table {
        Some(table) => table.get(tag).copied(),
        None => point.tag(tag),
    };
    // A missing tag is grouped like an empty one.
    let value = |tag: &str| value(tag).unwrap_or_default();
    if has_dimensions || point.by_name() {
        let tags: Vec<_> = point.dimensions().map(|tag| (tag, value(tag))).collect();
        return Some(Group::new(id, name, point.by_name(), &tags));
    }
    // A point of a batch, or one that is not grouped.
    let named = id.strip_prefix(name).filter(|_| !name.is_empty());
    let (by_name, mut rest) = match named.map(|rest| (rest.is_empty(), rest.strip_prefix('\n'))) {
        Some((true, _)) => (true, ""),
        Some((_, Some(tags))) => (true, tags),
        _ => (false, id),
    };
    let mut tags = Vec::new();
    while !rest.is_empty() {
        let (tag, behind) = rest.split_once('=')?;
        let behind = behind.strip_prefix(value(tag))?;
        rest = if behind.is_empty() { behind } else { behind.strip_prefix(',')? };
        tags.push((tag, value(tag)));
    }
    Some(Group::new(id, name, by_name, &tags))
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.id_bytes() == other.id_bytes()
    }
}

impl Eq for Group {}

impl PartialOrd for Group {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Group {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id_bytes().cmp(other.id_bytes())
    }
}

impl Hash for Group {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id_bytes().hash(state);
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("tags", &self.tags().collect::<Vec<_>>())
            .field("by_name", &self.by_name)
            .field("is_complete", &self.is_complete)
            .finish()
    }
}

impl<E: Edge> Emitter<E> {
    /// Sends a new point into `group`. The point has the name, the tags and the dimensions of the
    /// group, and the default time of [`build`](Self::build).
    ///
    /// ```
    /// use udf_runtime::state::Groups;
    /// use udf_runtime::{Emitter, Result, Stream};
    ///
    /// fn send(counts: &Groups<i64>, out: &mut Emitter<Stream>) -> Result<()> {
    ///     for (group, count) in counts.iter() {
    ///         out.build_in(group).field("count", *count).send()?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// You can change all of them. A change of the name, or of a tag that the data is grouped by,
    /// can move the point into another group. A group that is not
    /// [complete](Group::is_complete) gives the point no name and no tags.
    pub fn build_in(&mut self, group: &Group) -> PointEdit<'_, 'static, Emitter<Stream>>
    where
        E: ProvidesStream,
    {
        let tags = group.tags().filter(|(_, value)| !value.is_empty());
        let point = self.build(group.name()).tags(tags).dimensions(group.dimensions());
        if group.by_name() { point.by_name(true) } else { point }
    }

    /// Begins a batch in `group`, with its name and tags.
    ///
    /// [`OpenBatch::end`] sends the whole batch. Dropping the batch discards it.
    ///
    /// ```
    /// use udf_runtime::{Batch, Emitter, Group, Points, Result};
    ///
    /// fn send(group: &Group, points: &Points, tmax: i64, out: &mut Emitter<Batch>) -> Result<()> {
    ///     let mut batch = out.begin_in(group);
    ///     for point in points {
    ///         batch.pass(&point);
    ///     }
    ///     Ok(batch.end(tmax)?)
    /// }
    /// ```
    pub fn begin_in(&mut self, group: &Group) -> OpenBatch<'_>
    where
        E: ProvidesBatches,
    {
        self.begin_owned(group.into())
    }
}
