//! State per group, with limits.

mod grouped;
mod saved;

use std::fmt;
use std::hash::BuildHasher;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

pub use self::grouped::Grouped;
use crate::agent::group::Group;

/// A map with one value per group. The value is created with [`Default`] when the group is first
/// seen.
///
/// The map keeps the [`Group`] beside the value, so that a later call can send into the group:
/// [`iter`](Self::iter) returns both, in the order of the ids of the groups.
///
/// Kapacitor never reports that a group has gone. Without a limit, the map keeps every group
/// forever. [`limit_count`](Self::limit_count) drops the groups that were unused for the longest
/// time, and [`limit_age`](Self::limit_age) drops groups that were unused for too long.
///
/// As a `#[state]` field, the map is part of snapshots. The limits are not part of them: set the
/// limits when a task starts, in `init` or by `#[state(max = option)]`. **Use a separate field for the map**: inside another type, such as a
/// struct or an `Option`, the limits are lost when a snapshot is restored.
///
/// ```
/// use udf_runtime::state::Groups;
///
/// let mut counts: Groups<u64> = Groups::default();
/// *counts.of("host=a") += 1;
/// *counts.of("host=a") += 1;
/// assert_eq!((*counts.of("host=b"), *counts.of("host=a")), (0, 2));
/// assert!(counts.contains("host=b") && counts.get("host=c").is_none());
/// assert!(counts.iter().map(|(group, _)| group.id()).eq(["host=a", "host=b"]));
/// ```
#[derive(Clone)]
pub struct Groups<T> {
    groups: HashTable<Kept<T>>,
    hasher: DefaultHashBuilder,
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

#[derive(Clone)]
struct Kept<T> {
    group: Group,
    value: T,
    /// The number of the last use, and the time of its point.
    used: u64,
    time: Option<i64>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Groups {
            groups: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
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

    /// Drops groups without a point for `age`, measured by the times of points and of batches.
    ///
    /// A group is dropped after `age` plus up to a quarter of it. Dropping needs calls of
    /// [`of`](Self::of) with a point or a [`BatchView`](crate::BatchView). The begin of a batch has
    /// no time: a map that is only asked with begins drops no group by its age.
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

    /// Returns the groups and their values, in the order of the ids of the groups.
    ///
    /// The order is the same after each input and each restart. The groups are sorted at each call.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Group, &T)> + ExactSizeIterator {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_unstable_by(|a, b| a.group.cmp(&b.group));
        groups.into_iter().map(|kept| (&kept.group, &kept.value))
    }

    /// Returns the groups and their mutable values, in the order of [`iter`](Self::iter). Does not
    /// count as a use of the groups.
    pub fn iter_mut(
        &mut self,
    ) -> impl DoubleEndedIterator<Item = (&Group, &mut T)> + ExactSizeIterator {
        let mut groups: Vec<_> = self.groups.iter_mut().collect();
        groups.sort_unstable_by(|a, b| a.group.cmp(&b.group));
        groups.into_iter().map(|kept| (&kept.group, &mut kept.value))
    }

    /// Returns the value of the group with this id. Does not count as a use of the group.
    pub fn get(&self, id: &str) -> Option<&T> {
        let hash = self.hasher.hash_one(id.as_bytes());
        self.groups.find(hash, is(id)).map(|kept| &kept.value)
    }

    /// Returns whether the group with this id exists. Does not count as a use of the group.
    pub fn contains(&self, id: &str) -> bool {
        self.get(id).is_some()
    }

    /// Forgets the group with this id, and returns its value.
    pub fn remove(&mut self, id: &str) -> Option<T> {
        let hash = self.hasher.hash_one(id.as_bytes());
        let found = self.groups.find_entry(hash, is(id)).ok()?;
        Some(found.remove().0.value)
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
        let mut uses: Vec<u64> = self.groups.iter().map(|kept| kept.used).collect();
        let place = uses.len() - kept;
        let (_, oldest, _) = uses.select_nth_unstable(place);
        let oldest = *oldest;
        self.groups.retain(|kept| kept.used >= oldest);
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
        self.groups.retain(|kept| {
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

/// Returns a test for the group with this id.
#[inline]
fn is<T>(id: &str) -> impl Fn(&Kept<T>) -> bool {
    move |kept| kept.group.id_bytes() == id.as_bytes()
}

impl<T: Default> Groups<T> {
    /// Returns the value for the group of a point or a batch, for a [`Group`], or for the id of a
    /// group.
    pub fn of(&mut self, grouped: &(impl Grouped + ?Sized)) -> &mut T {
        let time = grouped.time();
        if let Some(time) = time
            && self.max_age != i64::MAX
        {
            self.drop_old(time);
        }
        self.uses += 1;
        let (id, used) = (grouped.group(), self.uses);
        let hash = self.hasher.hash_one(id.as_bytes());
        if self.groups.len() >= self.max_count && self.groups.find(hash, is(id)).is_none() {
            self.insert(hash, Kept::new(grouped, used, time));
            self.drop_unused();
        }
        let hasher = &self.hasher;
        let rehash = |kept: &Kept<T>| hasher.hash_one(kept.group.id_bytes());
        let kept = match self.groups.entry(hash, is(id), rehash) {
            Entry::Occupied(kept) => {
                let kept = kept.into_mut();
                kept.used = used;
                // A use without a time restarts the age at the next search for old groups.
                kept.time = time;
                if !kept.group.is_complete()
                    && let Some(group) = grouped.to_group()
                {
                    kept.group = group;
                }
                kept
            }
            Entry::Vacant(place) => place.insert(Kept::new(grouped, used, time)).into_mut(),
        };
        &mut kept.value
    }
}

impl<T: Default> Kept<T> {
    #[cold]
    fn new(grouped: &(impl Grouped + ?Sized), used: u64, time: Option<i64>) -> Self {
        let group = grouped.to_group().unwrap_or_else(|| Group::of_id(grouped.group()));
        Kept { group, value: T::default(), used, time }
    }
}

impl<T: fmt::Debug> fmt::Debug for Groups<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(group, value)| (group.id(), value))).finish()
    }
}

impl<T> Groups<T> {
    fn insert(&mut self, hash: u64, kept: Kept<T>) {
        let hasher = &self.hasher;
        self.groups.insert_unique(hash, kept, |kept| hasher.hash_one(kept.group.id_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use udf_proto::{BeginBatch, EndBatch, PointBuf, messages};

    use super::*;
    use crate::udf::batch_view::Gathered;
    use crate::udf::missing::{Missing, OnMissing};

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
    fn groups_come_in_the_order_of_their_ids_whatever_the_order_of_their_points() {
        let ids: Vec<_> = (0..1000).map(|number| format!("host={number:04}")).collect();
        let mut groups: Groups<usize> = Groups::default();
        for (at, id) in ids.iter().enumerate().rev() {
            *groups.of(&point(id, 1).as_point()) = at;
        }
        groups.of("host=0500");
        assert!(groups.iter().map(|(group, _)| group.id()).eq(&ids));
        assert!(groups.iter_mut().map(|(_, at)| *at).eq(0..1000));
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
        assert_eq!(groups.iter().map(|(group, _)| group.id()).collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn groups_without_batches_go_when_they_are_old() {
        let (mut groups, missing) = (Groups::<u32>::default(), Missing::new(OnMissing::Skip));
        groups.limit_age(Duration::from_nanos(100));
        let mut names_after = |group: &str, tmax| {
            let begin = BeginBatch { group: group.into(), ..BeginBatch::default() };
            let mut batch = Gathered::default();
            batch.begin(&begin);
            groups.of(&batch.view(&EndBatch { tmax, ..EndBatch::default() }, &missing));
            groups.iter().map(|(group, _)| group.id().to_owned()).collect::<Vec<_>>()
        };
        names_after("h=old", 0);
        assert_eq!(names_after("h=new", 90), ["h=new", "h=old"]);
        assert_eq!(names_after("h=new", 130), ["h=new"]);
    }

    #[test]
    fn a_point_that_is_ahead_of_the_clock_makes_no_group_old_and_keeps_none() {
        let hour = Duration::from_secs(3600).as_nanos() as i64;
        let mut groups: Groups<u32> = Groups::default();
        groups.limit_age(Duration::from_secs(3600));
        let mut names_after = |group: &str, time| {
            groups.of(&point(group, time).as_point());
            let names: Vec<_> = groups.iter().map(|(group, _)| group.id()).collect();
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
}
