//! State per group, with limits.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use udf_proto::{BeginBatch, Point};

use super::snapshot;

/// A map with one value per group. The value is created with [`Default`] when the group is first
/// seen.
///
/// Kapacitor never reports that a group has gone. Without a limit, the map keeps every group
/// forever. [`limit_count`](Self::limit_count) drops the groups that were unused for the longest
/// time, and [`limit_age`](Self::limit_age) drops groups that were unused for too long.
///
/// As a `#[state]` field, the map is part of snapshots. The limits are not part of them: set the
/// limits when a task starts. **Use a separate field for the map**: inside another type, such as a
/// struct or an `Option`, the limits are lost when a snapshot is restored.
///
/// ```
/// use udf_runtime::state::Groups;
///
/// let mut counts: Groups<u64> = Groups::default();
/// *counts.of("host=a") += 1;
/// *counts.of("host=a") += 1;
/// assert_eq!((*counts.of("host=a"), *counts.of("host=b")), (2, 0));
/// assert!(counts.contains("host=b") && counts.get("host=c").is_none());
/// ```
#[derive(Clone)]
pub struct Groups<T> {
    groups: HashMap<String, Kept<T>>,
    max_count: usize,
    /// The limit of age, in nanoseconds.
    max_age: i64,
    /// The number of uses of all groups.
    uses: u64,
    /// The latest time of a point, and the time of the last search for old groups.
    latest: i64,
    swept: i64,
    /// Times up to this one were not ahead of the clock when the clock was last read.
    believed: i64,
}

#[derive(Debug, Clone)]
struct Kept<T> {
    value: T,
    /// The number of the last use, and the time of its point.
    used: u64,
    time: Option<i64>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Groups {
            groups: HashMap::new(),
            max_count: usize::MAX,
            max_age: i64::MAX,
            uses: 0,
            latest: i64::MIN,
            swept: i64::MIN,
            believed: i64::MIN,
        }
    }
}

impl<T> Groups<T> {
    /// Keeps at most `count` groups, and at least one.
    ///
    /// When the limit is exceeded, the map drops a tenth of the groups at once, beginning with
    /// those unused for the longest time.
    pub fn limit_count(&mut self, count: usize) {
        self.max_count = count.max(1);
        self.drop_unused();
    }

    /// Drops groups without a point for `age`, measured by the times of points.
    ///
    /// A group is dropped after `age` plus up to a quarter of it. Dropping needs points. Groups of
    /// batches, which are looked up by the begin of a batch, have no time, and age only while they
    /// are unused.
    ///
    /// A point from a host with a wrong clock must not age all other groups. The map therefore
    /// ignores times that are ahead of our own clock by more than a quarter of `age`. If all points
    /// are ahead, as in forecasts, no group ages: use [`limit_count`](Self::limit_count) instead.
    pub fn limit_age(&mut self, age: Duration) {
        self.max_age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    }

    /// Returns the number of groups.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns whether there are no groups.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Returns the groups and their values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.groups.iter().map(|(group, kept)| (group.as_str(), &kept.value))
    }

    /// Returns the groups and their mutable values, in no particular order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut T)> {
        self.groups.iter_mut().map(|(group, kept)| (group.as_str(), &mut kept.value))
    }

    /// Returns the value of a group that exists. Does not count as a use of the group.
    pub fn get(&self, group: &str) -> Option<&T> {
        self.groups.get(group).map(|kept| &kept.value)
    }

    /// Returns whether the group exists. Does not count as a use of the group.
    pub fn contains(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// Forgets a group, and returns its value.
    pub fn remove(&mut self, group: &str) -> Option<T> {
        self.groups.remove(group).map(|kept| kept.value)
    }

    /// Removes all groups.
    pub fn clear(&mut self) {
        self.groups.clear();
    }

    /// Replaces the groups by those of a snapshot. The limits stay as they were set.
    pub(crate) fn restore(&mut self, restored: Groups<T>) {
        let (max_count, max_age) = (self.max_count, self.max_age);
        *self = Groups { max_count, max_age, ..restored };
        self.drop_unused();
    }

    fn drop_unused(&mut self) {
        if self.groups.len() <= self.max_count {
            return;
        }
        // Keep the most recently used groups, with room for some more: the search pays off only for
        // many groups at once.
        let kept = (self.max_count - self.max_count / 10).max(1);
        let mut uses: Vec<u64> = self.groups.values().map(|kept| kept.used).collect();
        let place = uses.len() - kept;
        let (_, oldest, _) = uses.select_nth_unstable(place);
        let oldest = *oldest;
        self.groups.retain(|_, kept| kept.used >= oldest);
    }

    /// Advances to the time of a point, and drops groups that are too old by then.
    fn drop_old(&mut self, time: i64) {
        if time <= self.latest {
            return;
        }
        let quarter = self.max_age / 4;
        if time > self.believed {
            self.believed = now().saturating_add(quarter);
            if time > self.believed {
                return;
            }
        }
        self.latest = time;
        if time.saturating_sub(self.swept) < quarter {
            return;
        }
        self.swept = time;
        let max_age = self.max_age;
        self.groups.retain(|_, kept| {
            // A restored group has no time yet, and the time of another group can be ahead. Both
            // age from now on.
            let used = kept.time.map_or(time, |used| used.min(time));
            kept.time = Some(used);
            time.saturating_sub(used) <= max_age
        });
    }
}

/// Returns the wall-clock time in nanoseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl<T: Default> Groups<T> {
    /// Returns the value for the group of a point or batch, or for a group name.
    pub fn of(&mut self, grouped: &(impl Grouped + ?Sized)) -> &mut T {
        let time = grouped.time();
        if let Some(time) = time
            && self.max_age != i64::MAX
        {
            self.drop_old(time);
        }
        self.uses += 1;
        let (group, used) = (grouped.group(), self.uses);
        if self.groups.len() >= self.max_count && !self.groups.contains_key(group) {
            self.groups.insert(group.to_owned(), Kept { value: T::default(), used, time });
            self.drop_unused();
        }
        let kept = self.groups.entry_ref(group).or_insert_with(|| Kept {
            value: T::default(),
            used,
            time,
        });
        kept.used = used;
        // A use without a time restarts the age at the next search for old groups.
        kept.time = time;
        &mut kept.value
    }
}

/// A value that belongs to a group: a point, the begin of a batch, or the name of a group.
pub trait Grouped {
    /// Returns the name of the group, as Kapacitor writes it.
    fn group(&self) -> &str;

    /// Returns the time in nanoseconds since the epoch, if it is known.
    fn time(&self) -> Option<i64> {
        None
    }
}

impl Grouped for Point<'_> {
    fn group(&self) -> &str {
        Point::group(*self)
    }

    fn time(&self) -> Option<i64> {
        Some(Point::time(*self))
    }
}

impl Grouped for BeginBatch {
    fn group(&self) -> &str {
        &self.group
    }
}

impl Grouped for str {
    fn group(&self) -> &str {
        self
    }
}

impl<T: fmt::Debug> fmt::Debug for Groups<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The number of groups that a snapshot loads into the caches at once.
const TOGETHER: usize = 64;

/// The number of restored groups that are inserted into the table together. Their places are spread
/// over the memory, and inserting them together overlaps the cache misses.
const SOME: usize = 512;

/// The minimum size of a group and its value in a snapshot in bytes. Few groups can have names
/// shorter than two bytes.
const LEAST_ENTRY: usize = 4;

impl<T: Serialize> Serialize for Groups<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Save in the order of the last use, which a limit needs after a restore. The key is stored
        // beside the entry, so that sorting does not follow a million pointers.
        let entries = self.groups.iter();
        let mut groups: Vec<_> = entries.map(|(group, kept)| (kept.used, group, kept)).collect();
        groups.sort_unstable_by_key(|(used, ..)| *used);
        let mut map = serializer.serialize_map(Some(groups.len()))?;
        for some in groups.chunks(TOGETHER) {
            // The groups are spread over the memory. Touching them together overlaps the cache
            // misses.
            let read = |(_, group, _): &(u64, &String, _)| group.bytes().next();
            std::hint::black_box(some.iter().filter_map(read).fold(0, |sum, byte| sum ^ byte));
            for (_, group, kept) in some {
                map.serialize_entry(group.as_str(), &kept.value)?;
            }
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Groups<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(GroupsVisitor(PhantomData))
    }
}

struct GroupsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for GroupsVisitor<T> {
    type Value = Groups<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from groups to their state")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Groups<T>, A::Error> {
        let mut groups = Groups::default();
        // A table that grows entry by entry would rehash its groups again and again. Reserve the
        // announced number, but only as far as the bytes received can hold it. If the memory cannot
        // be reserved, insert the groups one by one.
        let most = snapshot::restored_bytes() / LEAST_ENTRY;
        let _ = groups.groups.try_reserve(map.size_hint().unwrap_or(0).min(most));
        let mut some = Vec::new();
        while let Some(entry) = map.next_entry::<String, T>()? {
            some.push(entry);
            if some.len() == SOME {
                groups.take_in(&mut some)?;
            }
        }
        groups.take_in(&mut some)?;
        Ok(groups)
    }
}

impl<T> Groups<T> {
    /// Inserts groups of a snapshot.
    fn take_in<E: Error>(&mut self, some: &mut Vec<(String, T)>) -> Result<(), E> {
        for (group, value) in some.drain(..) {
            self.uses += 1;
            let kept = Kept { value, used: self.uses, time: None };
            match self.groups.entry(group) {
                Entry::Vacant(place) => place.insert(kept),
                Entry::Occupied(place) => {
                    let group = place.key();
                    return Err(E::custom(format_args!("the group `{group}` appears twice")));
                }
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use udf_proto::{PointBuf, messages};

    use super::*;

    fn point(group: &str, time: i64) -> PointBuf {
        PointBuf::from(messages::Point { group: group.into(), time, ..Default::default() })
    }

    #[test]
    fn the_groups_used_last_are_kept() {
        let mut groups: Groups<u32> = Groups::default();
        groups.limit_count(3);
        for (group, value) in [("a", 1), ("b", 2), ("c", 3)] {
            *groups.of(group) = value;
        }
        groups.of("a");
        *groups.of("d") = 4;
        assert_eq!((groups.len(), *groups.of("a"), *groups.of("d")), (3, 1, 4));
        assert_eq!(groups.remove("b"), None);
    }

    #[test]
    fn a_limit_of_one_keeps_the_newest() {
        let mut groups: Groups<u32> = Groups::default();
        groups.limit_count(1);
        for i in 0..100 {
            *groups.of(&*i.to_string()) = i;
            assert_eq!(groups.len(), 1);
        }
        assert_eq!(*groups.of("99"), 99);
    }

    #[test]
    fn groups_without_points_go_when_they_are_old() {
        let mut groups: Groups<u32> = Groups::default();
        groups.limit_age(Duration::from_nanos(100));
        groups.of(&point("old", 0).as_point());
        groups.of(&point("new", 90).as_point());
        assert_eq!(groups.len(), 2);
        groups.of(&point("new", 130).as_point());
        assert_eq!(groups.iter().map(|(group, _)| group).collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn a_point_that_is_ahead_of_the_clock_makes_no_group_old_and_keeps_none() {
        let hour = Duration::from_secs(3600).as_nanos() as i64;
        let mut groups: Groups<u32> = Groups::default();
        groups.limit_age(Duration::from_secs(3600));
        let mut names_after = |group: &str, time| {
            groups.of(&point(group, time).as_point());
            let mut names: Vec<_> = groups.iter().map(|(group, _)| group.to_owned()).collect();
            names.sort_unstable();
            names.join(" ")
        };
        // Recorded data ages by its own times.
        let begin = now() - 10 * hour;
        assert_eq!(names_after("a", begin), "a");
        assert_eq!(names_after("ahead", now() + 1000 * hour), "a ahead");
        assert_eq!(names_after("b", begin + hour / 2), "a ahead b");
        assert_eq!(names_after("b", begin + 3 * hour / 2), "ahead b");
        assert_eq!(names_after("c", begin + 3 * hour), "c");
        // A clock that is slightly ahead is accepted.
        assert_eq!(names_after("d", now() + hour / 8), "d");
    }

    #[test]
    fn a_group_that_is_used_by_its_name_does_not_age() {
        let mut groups: Groups<u32> = Groups::default();
        groups.limit_age(Duration::from_nanos(100));
        for time in (0..1000).step_by(50) {
            *groups.of("total") += 1;
            groups.of(&point("other", time).as_point());
        }
        assert_eq!(*groups.of("total"), 20);
    }

    #[test]
    fn restored_groups_have_their_values_and_the_order_of_their_use() {
        let mut groups: Groups<u32> = Groups::default();
        for (group, value) in [("a", 1), ("b", 2), ("c", 3), ("a", 4)] {
            *groups.of(group) = value;
        }
        let bytes = rmp_serde::to_vec(&groups).unwrap();
        let mut restored: Groups<u32> = rmp_serde::from_slice(&bytes).unwrap();
        restored.limit_age(Duration::from_nanos(10));
        restored.limit_count(2);
        assert_eq!(restored.remove("b"), None);
        restored.of(&point("c", 1_000).as_point());
        assert_eq!((*restored.of("a"), *restored.of("c")), (4, 3));
    }

    #[test]
    fn a_group_that_is_there_twice_is_refused() {
        // A map of two entries, both of the group "a".
        let twice = rmp_serde::from_slice::<Groups<u32>>(&[0x82, 0xa1, b'a', 1, 0xa1, b'a', 2]);
        let error = twice.expect_err("it is no state of ours").to_string();
        assert!(error.contains("the group `a` appears twice"), "{error}");
    }
}
