//! Groups in a snapshot: a map from groups to their values.

use std::fmt;
use std::hash::BuildHasher;
use std::marker::PhantomData;

use hashbrown::hash_table::Entry;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::snapshot;
use super::{Groups, Kept};
use crate::agent::group::Group;

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
        let mut groups: Vec<_> = self.groups.iter().map(|kept| (kept.used, kept)).collect();
        groups.sort_unstable_by_key(|(used, _)| *used);
        let mut map = serializer.serialize_map(Some(groups.len()))?;
        for some in groups.chunks(TOGETHER) {
            // The groups are spread over the memory. Touching them together overlaps the cache
            // misses.
            let read = |(_, kept): &(u64, &Kept<T>)| kept.group.id_bytes().first().copied();
            std::hint::black_box(some.iter().filter_map(read).fold(0, |sum, byte| sum ^ byte));
            for (_, kept) in some {
                map.serialize_entry(&kept.group, &kept.value)?;
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
        // No group is hashed again, because the table is empty.
        let _ = groups.groups.try_reserve(map.size_hint().unwrap_or(0).min(most), |_| 0);
        let mut some = Vec::new();
        while let Some(entry) = map.next_entry::<Group, T>()? {
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
    fn take_in<E: Error>(&mut self, some: &mut Vec<(Group, T)>) -> Result<(), E> {
        for (group, value) in some.drain(..) {
            self.uses += 1;
            let hash = self.hasher.hash_one(group.id_bytes());
            let hasher = &self.hasher;
            let rehash = |kept: &Kept<T>| hasher.hash_one(kept.group.id_bytes());
            match self.groups.entry(hash, |kept| kept.group == group, rehash) {
                Entry::Vacant(place) => {
                    place.insert(Kept { group, value, used: self.uses, time: None });
                }
                Entry::Occupied(_) => {
                    let id = group.id();
                    return Err(E::custom(format_args!("the group `{id}` appears twice")));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use udf_proto::{BeginBatch, PointBuf, messages};

    use super::*;

    fn point(group: &str, time: i64) -> PointBuf {
        PointBuf::from(messages::Point { group: group.into(), time, ..Default::default() })
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

    /// Earlier versions saved the id alone.
    #[test]
    fn a_group_of_an_earlier_snapshot_is_completed_by_its_next_point() {
        let mut groups: Groups<u32> = rmp_serde::from_slice(&[0x81, 0xa2, b'h', b'=', 7]).unwrap();
        assert!(groups.iter().all(|(group, value)| !group.is_complete() && *value == 7));
        groups.of("h=");
        assert!(groups.iter().all(|(group, _)| !group.is_complete()));
        let name = "cpu".to_owned();
        let begin = BeginBatch { name, group: "h=".into(), ..BeginBatch::default() };
        assert_eq!(*groups.of(&begin), 7);
        let (group, _) = groups.iter().next().unwrap();
        assert!(group.is_complete() && group.name() == "cpu");
        let bytes = rmp_serde::to_vec(&groups).unwrap();
        let restored: Groups<u32> = rmp_serde::from_slice(&bytes).unwrap();
        assert!(restored.iter().all(|(group, _)| group.is_complete() && group.name() == "cpu"));
    }
}
