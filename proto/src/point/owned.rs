//! Points that outlive the call of a handler: a single point, or many in one buffer.

use prost::Message as _;
use prost::encoding::{WireType, double, encode_key, encode_varint, string};

use super::{Entry, Head, Point, PointError, PointIndex};
use crate::messages;

/// A point that owns its bytes and its index.
///
/// ```
/// use udf_proto::{PointBuf, messages};
///
/// let kept = PointBuf::from(messages::Point { name: "cpu".into(), ..Default::default() });
/// assert_eq!(kept.as_point().name(), "cpu");
/// ```
#[derive(Clone)]
pub struct PointBuf {
    bytes: Box<[u8]>,
    head: Head,
    entries: Box<[Entry]>,
    /// The name of the batch, if the bytes of the point contain no name.
    pub(super) batch: Box<str>,
}

impl PointBuf {
    /// Indexes and validates the encoding of one Point message.
    ///
    /// # Errors
    /// Returns the errors of [`PointIndex::parse`].
    pub fn parse(bytes: impl Into<Box<[u8]>>) -> Result<Self, PointError> {
        let bytes = bytes.into();
        let mut index = PointIndex::new();
        index.parse(&bytes)?;
        let (head, entries) = index.into_parts();
        Ok(PointBuf { bytes, head, entries: entries.into(), batch: Box::default() })
    }

    /// Returns a view of the point.
    pub fn as_point(&self) -> Point<'_> {
        Point { bytes: &self.bytes, head: &self.head, entries: &self.entries, batch: &self.batch }
    }
}

/// A point with nothing in it.
impl Default for PointBuf {
    fn default() -> Self {
        PointBuf::parse([]).expect("no bytes are an empty point")
    }
}

impl Point<'_> {
    /// Returns an owned copy, with the name of the batch if the point has no other.
    pub fn to_buf(&self) -> PointBuf {
        PointBuf {
            bytes: self.bytes.into(),
            head: self.head.clone(),
            entries: self.entries.into(),
            batch: self.batch_name().unwrap_or_default().into(),
        }
    }

    /// Returns the bytes of memory that a copy takes in [`Points`]: the encoding and the index.
    ///
    /// Each part takes 16 bytes in the index, even if it takes two on the wire, such as an empty
    /// dimension.
    pub fn kept_size(&self) -> usize {
        self.bytes.len() + size_of_val(self.entries) + size_of::<Item>()
    }
}

/// A copy, with the name of the batch if the point has no other.
impl From<Point<'_>> for messages::Point {
    fn from(point: Point<'_>) -> Self {
        let mut message =
            messages::Point::decode(point.bytes).expect("what was indexed is a point");
        if let Some(name) = point.batch_name() {
            message.name = name.to_owned();
        }
        message
    }
}

impl From<Point<'_>> for PointBuf {
    fn from(point: Point<'_>) -> Self {
        point.to_buf()
    }
}

impl From<messages::Point> for PointBuf {
    fn from(message: messages::Point) -> Self {
        PointBuf::parse(encode(message)).expect("what prost encodes is a point")
    }
}

/// Returns the encoding of a message.
///
/// prost leaves out values that equal 0.0, and would lose the sign of -0.0. If a field is -0.0,
/// this function encodes all floats itself, between the members before and after them.
fn encode(mut message: messages::Point) -> Vec<u8> {
    let is_negative_zero = |value: &f64| *value == 0.0 && value.is_sign_negative();
    if !message.fields_double.values().any(is_negative_zero) {
        return message.encode_to_vec();
    }
    let floats = std::mem::take(&mut message.fields_double);
    let behind = messages::Point {
        fields_int: std::mem::take(&mut message.fields_int),
        fields_string: std::mem::take(&mut message.fields_string),
        fields_bool: std::mem::take(&mut message.fields_bool),
        by_name: std::mem::take(&mut message.by_name),
        ..Default::default()
    };
    let mut bytes = message.encode_to_vec();
    for (name, value) in &floats {
        let entry = string::encoded_len(1, name) + double::encoded_len(2, value);
        encode_key(8, WireType::LengthDelimited, &mut bytes);
        encode_varint(entry as u64, &mut bytes);
        string::encode(1, name, &mut bytes);
        double::encode(2, value, &mut bytes);
    }
    bytes.extend(behind.encode_to_vec());
    bytes
}

impl std::fmt::Debug for PointBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_point().fmt(f)
    }
}

/// Points that are stored back to back, for a batch or a window.
///
/// Adding a point copies its bytes and its index. It allocates nothing if the buffer has room;
/// [`clear`](Points::clear) keeps the buffer.
///
/// ```
/// use udf_proto::{PointBuf, Points, messages};
///
/// let mut points = Points::new();
/// for time in [3, 5] {
///     let point = PointBuf::from(messages::Point { time, ..Default::default() });
///     points.push(&point.as_point());
/// }
/// assert_eq!(points.iter().map(|point| point.time()).sum::<i64>(), 8);
///
/// let mut later = Points::new();
/// later.extend(points.iter().filter(|point| point.time() > 3));
/// for point in &later {
///     assert_eq!(point.time(), 5);
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Points {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// The names of the batches of the points. Adjacent points of one batch share a name.
    batches: String,
    items: Vec<Item>,
}

/// The head of a point, and the ranges of its bytes, its entries and the name of its batch.
#[derive(Debug, Clone)]
struct Item {
    head: Head,
    bytes: (usize, usize),
    entries: (usize, usize),
    batch: (usize, usize),
}

impl Points {
    /// Creates an empty collection.
    pub fn new() -> Self {
        Points::default()
    }

    /// Appends a copy of `point`, with the name of its batch.
    pub fn push(&mut self, point: &Point<'_>) {
        let (bytes, entries) = (self.bytes.len(), self.entries.len());
        let batch = point.batch_name().map_or((0, 0), |name| self.batch(name));
        self.bytes.extend_from_slice(point.bytes);
        self.entries.extend_from_slice(point.entries);
        self.items.push(Item {
            head: point.head.clone(),
            bytes: (bytes, self.bytes.len()),
            entries: (entries, self.entries.len()),
            batch,
        });
    }

    /// Returns the range of the name of a batch. Appends the name unless the last point has the
    /// same.
    fn batch(&mut self, name: &str) -> (usize, usize) {
        let last = self.items.last().map_or((0, 0), |last| last.batch);
        if self.batches[last.0..last.1] == *name {
            return last;
        }
        let start = self.batches.len();
        self.batches.push_str(name);
        (start, self.batches.len())
    }

    /// Returns the number of points.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether there are no points.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the point at index `place`, counted from 0 in the order of [`push`](Self::push).
    pub fn get(&self, place: usize) -> Option<Point<'_>> {
        self.items.get(place).map(|item| self.view(item))
    }

    /// Iterates over the points in the order of [`push`](Self::push).
    pub fn iter(&self) -> PointsIter<'_> {
        PointsIter { points: self, items: self.items.iter() }
    }

    /// Removes all points and keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.batches.clear();
        self.items.clear();
    }

    fn view<'a>(&'a self, item: &'a Item) -> Point<'a> {
        Point {
            bytes: &self.bytes[item.bytes.0..item.bytes.1],
            head: &item.head,
            entries: &self.entries[item.entries.0..item.entries.1],
            batch: &self.batches[item.batch.0..item.batch.1],
        }
    }
}

impl<'a> IntoIterator for &'a Points {
    type Item = Point<'a>;
    type IntoIter = PointsIter<'a>;

    fn into_iter(self) -> PointsIter<'a> {
        self.iter()
    }
}

impl<'p> Extend<Point<'p>> for Points {
    fn extend<I: IntoIterator<Item = Point<'p>>>(&mut self, points: I) {
        points.into_iter().for_each(|point| self.push(&point));
    }
}

/// Iterates over [`Points`].
#[derive(Debug, Clone)]
pub struct PointsIter<'a> {
    points: &'a Points,
    items: std::slice::Iter<'a, Item>,
}

impl<'a> Iterator for PointsIter<'a> {
    type Item = Point<'a>;

    fn next(&mut self) -> Option<Point<'a>> {
        self.items.next().map(|item| self.points.view(item))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl DoubleEndedIterator for PointsIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.items.next_back().map(|item| self.points.view(item))
    }
}

impl ExactSizeIterator for PointsIter<'_> {}
