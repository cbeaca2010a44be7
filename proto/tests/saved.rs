//! Kept points and batches survive serde, and damaged ones are refused.
#![cfg(feature = "serde")]

mod common;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use udf_proto::point::PointIndex;
use udf_proto::{BeginBatch, EndBatch, PointBuf, Points, messages};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn points_come_back_with_their_bytes_and_batches(
        points in vec((records(), "|cpu|mem"), 0..5),
    ) {
        let (mut index, mut kept) = (PointIndex::new(), Points::new());
        for (records, batch) in &points {
            index.set_batch(batch);
            let bytes = concat(records);
            let point = index.parse(&bytes).unwrap();
            kept.push(&point);
            let saved = rmp_serde::to_vec(&point.to_buf()).unwrap();
            let restored: PointBuf = rmp_serde::from_slice(&saved).unwrap();
            prop_assert_eq!(restored.as_point().as_bytes(), point.as_bytes());
            prop_assert_eq!(restored.as_point().batch_name(), point.batch_name());
        }
        let saved = rmp_serde::to_vec(&kept).unwrap();
        let restored: Points = rmp_serde::from_slice(&saved).unwrap();
        prop_assert_eq!(restored.len(), kept.len());
        for (restored, kept) in restored.iter().zip(&kept) {
            prop_assert_eq!(restored.as_bytes(), kept.as_bytes());
            prop_assert_eq!(restored.batch_name(), kept.batch_name());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..99)) {
        let _ = rmp_serde::from_slice::<Points>(&bytes);
        let _ = rmp_serde::from_slice::<PointBuf>(&bytes);
        let _ = rmp_serde::from_slice::<BeginBatch>(&bytes);
    }
}

#[test]
fn a_damaged_point_is_refused_with_its_problem() {
    let refused = |bytes: &[u8]| rmp_serde::from_slice::<PointBuf>(bytes).expect_err("no point");
    // A pair of two bytes, which announce a time, and an empty name.
    assert_eq!(
        refused(&[0x92, 0xc4, 1, 0x08, 0xa0]).to_string(),
        "malformed point: a truncated record in `time`, at byte 0"
    );
    refused(&[0x91, 0xc4, 0]);
    refused(&[0x93, 0xc4, 0, 0xa0, 1]);
    refused(&[0xa0]);
}

/// 2^32 points are announced, and none follows.
#[test]
fn no_memory_is_reserved_for_announced_points() {
    let count = allocation_counter::measure(|| {
        let announced = [0xdd, 0xff, 0xff, 0xff, 0xff];
        rmp_serde::from_slice::<Points>(&announced).expect_err("there are no points");
    });
    assert!(count.bytes_max < 4096, "{count:?}");
}

#[test]
fn batches_come_back() {
    let tags = || [("host".to_owned(), "a".to_owned())].into();
    let name = "cpu".to_owned();
    let begin = BeginBatch { name, tags: tags(), size: 3, by_name: true, ..Default::default() };
    let saved = rmp_serde::to_vec_named(&begin).unwrap();
    assert_eq!(rmp_serde::from_slice::<BeginBatch>(&saved).unwrap(), begin);
    let end = EndBatch { tmax: -7, tags: tags(), ..EndBatch::default() };
    let saved = rmp_serde::to_vec_named(&end).unwrap();
    assert_eq!(rmp_serde::from_slice::<EndBatch>(&saved).unwrap(), end);
}

#[test]
fn a_new_point_is_empty() {
    let empty = PointBuf::from(messages::Point::default());
    assert_eq!(PointBuf::default().as_point(), empty.as_point());
}
