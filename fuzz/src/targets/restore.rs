//! Valid and damaged snapshots.

use udf_proto::Init;
use udf_runtime::state::{SnapshotError, StateReader, StateWriter};
use udf_runtime::{Result, Udf, options};

use super::udfs::Means;
use super::within;
use crate::Trace;

/// The length of the header of a snapshot: the mark, the version and the checksum.
const HEADER: usize = 10;

fn fresh() -> Means {
    options::parse(Init::default()).expect("all its options have defaults").udf
}

fn save(udf: &Means) -> Vec<u8> {
    let mut state = StateWriter::new(Means::NAME);
    udf.save(&mut state).expect("the state can be saved");
    state.finish()
}

fn load(udf: &mut Means, snapshot: &[u8]) -> Result<()> {
    let mut state = StateReader::open(Means::NAME, snapshot)?;
    udf.load(&mut state)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (empty, full) = (save(&fresh()), super::agent::snapshot_of_means());
    let with = |how: u8, snapshot: &[u8]| [&[how], snapshot].concat();
    vec![
        with(0, &empty),
        with(0, &full),
        with(1, &empty[HEADER..]),
        with(1, &full[HEADER..]),
        with(0, b"KUDF\x02\x00"),
        with(0, b"{}"),
    ]
}

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let Some((how, rest)) = input.split_first() else { return };
    let mut snapshot = rest.to_vec();
    if how % 2 == 1 {
        // A valid header lets the input reach the decoder.
        snapshot = b"KUDF\x01\x00".to_vec();
        snapshot.extend(crc32fast::hash(rest).to_le_bytes());
        snapshot.extend(rest);
    }
    let mut udf = fresh();
    let before = save(&udf);
    let mut restored = Ok(());
    // At most a megabyte is reserved for an element count that the snapshot claims.
    within((3 << 20) + 200 * snapshot.len() as u64, || restored = load(&mut udf, &snapshot));
    match restored {
        Ok(()) => {
            // A restored state can be saved, and restores to the same state.
            let saved = save(&udf);
            let mut again = fresh();
            load(&mut again, &saved).expect("a saved state can be restored");
            let mut third = fresh();
            load(&mut third, &save(&again)).expect("a saved state can be restored");
            assert_eq!(save(&again).len(), save(&third).len());
            trace.see_size("state", saved.len());
        }
        Err(error) => {
            assert!(save(&udf) == before, "a snapshot was refused, but the state has changed");
            let error = error.downcast::<SnapshotError>().expect("it says what is wrong");
            trace.see(std::mem::discriminant(&*error));
            match *error {
                SnapshotError::Damaged(how) => trace.see(how),
                SnapshotError::Field { field, why } => {
                    trace.see(field);
                    trace.see_text(&why);
                }
                _ => {}
            }
        }
    }
}
