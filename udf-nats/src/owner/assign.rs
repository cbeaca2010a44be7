//! The assignment of partitions to workers.

/// Assigns each partition to one of the workers, which are sorted by name.
///
/// The numbers of partitions of two workers differ by one at most. When a worker joins or leaves,
/// few of the other partitions move: each worker has a rank for each partition, which depends on
/// their names alone (rendezvous hashing), and a partition goes to the first worker with room.
///
/// Returns nothing for each partition if there are no workers.
pub fn assign<'a>(workers: &[&'a str], partitions: u32) -> Vec<Option<&'a str>> {
    let count = u32::try_from(workers.len()).unwrap_or(u32::MAX).max(1);
    let (floor, mut larger) = (partitions / count, partitions % count);
    let mut loads = vec![0; workers.len()];
    let mut assigned = Vec::with_capacity(partitions as usize);
    for partition in 0..partitions {
        let has_room = |at: &usize| loads[*at] < floor || (loads[*at] == floor && larger > 0);
        let best = (0..workers.len())
            .filter(has_room)
            .max_by_key(|at| (rank(workers[*at], partition), std::cmp::Reverse(*at)));
        if let Some(at) = best {
            if loads[at] == floor {
                larger -= 1;
            }
            loads[at] += 1;
        }
        assigned.push(best.map(|at| workers[at]));
    }
    assigned
}

/// Returns the rank of a worker for a partition: FNV-1a of both, and then mixed.
fn rank(worker: &str, partition: u32) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in worker.bytes().chain(partition.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        let mut names: Vec<_> = (0..count).map(|n| format!("host{n}-{}", n * 37 % 101)).collect();
        names.sort_unstable();
        names
    }

    fn of(names: &[String], partitions: u32) -> Vec<Option<&str>> {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assign(&names, partitions)
    }

    #[test]
    fn every_partition_has_a_worker_and_loads_differ_by_one() {
        assert_eq!(assign(&[], 2), [None, None]);
        for workers in 1..20 {
            let names = names(workers);
            for partitions in [1, 2, 7, 8, 64] {
                let assigned = of(&names, partitions);
                let loads = names.iter().map(|name| {
                    assigned.iter().filter(|worker| **worker == Some(name.as_str())).count()
                });
                let loads: Vec<_> = loads.collect();
                assert_eq!(loads.iter().sum::<usize>(), partitions as usize);
                let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
                assert!(most - least <= 1, "{workers} {partitions}: {loads:?}");
            }
        }
    }

    #[test]
    fn a_worker_that_leaves_moves_few_other_partitions() {
        let all = names(8);
        let (mut moved, mut lost) = (0, 0);
        for left in 0..8 {
            let mut rest = all.clone();
            rest.remove(left);
            let (before, after) = (of(&all, 128), of(&rest, 128));
            for (before, after) in before.iter().zip(after) {
                match *before == Some(all[left].as_str()) {
                    true => lost += 1,
                    false => moved += u32::from(*before != after),
                }
            }
        }
        assert_eq!(lost, 128);
        assert!(moved < 2 * lost, "{moved} others moved for {lost} that had to");
    }
}
