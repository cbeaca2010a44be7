//! Points in their encoded form: a borrowed view, owned points, and editing.
//!
//! A [`Point`] borrows the received bytes and the tables of a [`PointIndex`]. The tables are
//! reused, so reading a point allocates nothing once they have grown. To keep points after the
//! handler returns, copy them into a [`PointBuf`] or into [`Points`].
//!
//! Maps on the wire may contain a key twice. As in any protobuf map, the last value wins.

mod check;
mod cursor;
mod edit;
mod encode;
mod equal;
mod error;
mod index;
mod live;
mod owned;
mod parts;
mod repeats;
#[cfg(feature = "serde")]
mod saved;
mod scratch;
mod unfit;
mod view;

use std::ops::Range;

pub use check::PointCheck;
pub(crate) use cursor::{Record, Records};
pub use edit::{FieldSet, FieldWriter, IntoField, PointEdit, PointSink};
pub use encode::PointFrame;
pub use error::{FieldError, PointError, Problem};
pub use index::PointIndex;
pub use owned::{PointBuf, Points, PointsIter};
pub use parts::{RawText, RawValue, VisitParts, visit_parts};
pub use scratch::EditScratch;
pub use unfit::{Unfit, UnfitReason};
pub use view::{Dimensions, FieldValue, Fields, Point, Tags};

/// A range of bytes in a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    #[inline(always)]
    fn new(start: usize, length: usize) -> Self {
        // No truncation: a point has at most `frame::MAX_LIMIT` bytes.
        Span { start: start as u32, length: length as u32 }
    }

    fn start(self) -> usize {
        self.start as usize
    }

    fn end(self) -> usize {
        self.start as usize + self.length as usize
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    fn pack(self) -> u64 {
        u64::from(self.start) << 32 | u64::from(self.length)
    }

    fn unpack(packed: u64) -> Self {
        Span { start: (packed >> 32) as u32, length: packed as u32 }
    }
}

/// The members of a point that occur at most once.
#[derive(Debug, Clone, Default)]
struct Head {
    time: i64,
    /// Name, database, retention policy and group, members 2 to 5.
    texts: [Span; 4],
    /// Whether one of the texts occurred twice. The index then does not contain every text of the
    /// point.
    texts_replaced: bool,
    by_name: bool,
    fields: Region,
}

impl Head {
    #[inline(always)]
    fn set_text(&mut self, place: usize, span: Span) {
        let text = &mut self.texts[place];
        // The replaced text must be UTF-8 too, but the index contains only the last one.
        self.texts_replaced |= text.length != 0;
        *text = span;
    }
}

/// The range of the records of the fields.
#[derive(Debug, Clone, Copy, Default)]
struct Region {
    start: u32,
    end: u32,
    /// Whether other records lie between the fields. The range is then unused.
    apart: bool,
}

impl Region {
    #[inline(always)]
    fn extend(&mut self, start: usize, end: usize) {
        if self.end != start as u32 {
            self.apart = self.end != 0;
            self.start = start as u32;
        }
        self.end = end as u32;
    }
}

/// The kind of an [`Entry`]. The fields come last, so that one comparison recognizes a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Dimension,
    Tag,
    Float,
    Int,
    String,
    Bool,
}

impl Kind {
    fn is_field(self) -> bool {
        self as u8 >= Kind::Float as u8
    }
}

/// A dimension, tag or field. Entries are in the order of the wire.
#[derive(Debug, Clone, Copy)]
struct Entry {
    name_start: u32,
    /// The length of the name, with the kind in the bits above [`LENGTH_BITS`]. One comparison
    /// rejects most entries.
    kind_and_length: u32,
    /// The bits of a float, an integer, a boolean, or the packed [`Span`] of text.
    value: u64,
}

/// Enough bits for a length of [`frame::MAX_LIMIT`](crate::frame::MAX_LIMIT). The other 3 bits hold
/// the kind.
const LENGTH_BITS: u32 = 29;

impl Entry {
    #[inline(always)]
    fn new(kind: Kind, name: Span, value: u64) -> Self {
        let kind_and_length = (kind as u32) << LENGTH_BITS | name.length;
        Entry { name_start: name.start, kind_and_length, value }
    }

    #[inline(always)]
    fn kind(&self) -> Kind {
        match self.kind_and_length >> LENGTH_BITS {
            0 => Kind::Dimension,
            1 => Kind::Tag,
            2 => Kind::Float,
            3 => Kind::Int,
            4 => Kind::String,
            _ => Kind::Bool,
        }
    }

    fn is_field(&self) -> bool {
        self.kind_and_length >= (Kind::Float as u32) << LENGTH_BITS
    }

    fn name(&self) -> Span {
        Span { start: self.name_start, length: self.kind_and_length & ((1 << LENGTH_BITS) - 1) }
    }
}
