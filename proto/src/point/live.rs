//! Leaves out the entries that later ones replace.

use std::collections::HashSet;

use super::repeats::{Repeats, hash};
use super::{Entry, Kind, Point, Span};

/// Up to this many entries, comparing every entry with all later ones is faster than a table of
/// names.
const FEW: usize = 6;

/// Up to this many entries, comparing them is faster than remembering the replaced ones.
const SOME: usize = 64;

/// Iterator over the fields, or over the tags. Skips an entry if a later entry of the same kind has
/// the same name.
#[derive(Debug, Clone)]
pub(super) struct Live<'a, const FIELDS: bool> {
    point: Point<'a>,
    next: usize,
    replaced: Replaced,
}

/// The entries that later ones replace.
#[derive(Debug, Clone)]
enum Replaced {
    /// There are none.
    None,
    /// Each entry is compared with all later ones.
    Unknown,
    /// The places of the replaced entries.
    These(HashSet<usize>),
}

impl<'a, const FIELDS: bool> Live<'a, FIELDS> {
    #[inline]
    pub(super) fn new(point: Point<'a>) -> Self {
        let replaced = if point.entries.len() <= FEW {
            Replaced::Unknown
        } else if !Self::may_repeat(point) {
            Replaced::None
        } else if point.entries.len() <= SOME {
            Replaced::Unknown
        } else {
            Replaced::These(Self::replaced(point))
        };
        Live { point, next: 0, replaced }
    }

    #[inline(always)]
    fn is_wanted(entry: &Entry) -> bool {
        if FIELDS { entry.is_field() } else { entry.kind() == Kind::Tag }
    }

    fn may_repeat(point: Point<'_>) -> bool {
        let mut names = Repeats::new();
        let mut entries = point.entries.iter().filter(|entry| Self::is_wanted(entry));
        entries.any(|entry| {
            let Span { start, length } = entry.name();
            let tail = &point.bytes[start as usize..];
            names.add(hash(entry.kind() as u8, tail, length as usize))
        })
    }

    fn replaced(point: Point<'_>) -> HashSet<usize> {
        let mut names = HashSet::new();
        let entries = point.entries.iter().enumerate().rev();
        entries
            .filter(|(_, entry)| Self::is_wanted(entry))
            .filter(|(_, entry)| !names.insert((entry.kind() as u8, point.raw(entry.name()))))
            .map(|(at, _)| at)
            .collect()
    }

    #[inline]
    fn is_replaced(&self, at: usize, entry: &Entry) -> bool {
        match &self.replaced {
            Replaced::None => false,
            Replaced::Unknown => self.point.entries[at + 1..].iter().any(|later| {
                later.kind_and_length == entry.kind_and_length
                    && self.point.raw(later.name()) == self.point.raw(entry.name())
            }),
            Replaced::These(replaced) => replaced.contains(&at),
        }
    }
}

impl<'a, const FIELDS: bool> Iterator for Live<'a, FIELDS> {
    type Item = &'a Entry;

    #[inline]
    fn next(&mut self) -> Option<&'a Entry> {
        while let Some(entry) = self.point.entries.get(self.next) {
            let at = self.next;
            self.next += 1;
            if Self::is_wanted(entry) && !self.is_replaced(at, entry) {
                return Some(entry);
            }
        }
        None
    }
}
