//! The messages of a batch, as Kapacitor sends them.

use std::collections::BTreeMap;

use udf_proto::messages::{BeginBatch, EndBatch, Point};

/// Returns the begin of a batch of `size` points, with the measurement `cpu` and the host `a`.
pub fn begin(size: i64) -> BeginBatch {
    BeginBatch {
        name: "cpu".into(),
        group: "host=a".into(),
        tags: BTreeMap::from([("host".into(), "a".into())]),
        size,
        by_name: false,
    }
}

/// Returns a point of that batch.
pub fn batch_point(time: i64, value: f64) -> Point {
    Point {
        time,
        group: "host=a".into(),
        tags: BTreeMap::from([("host".into(), "a".into())]),
        fields_double: BTreeMap::from([("usage".into(), value)]),
        ..Default::default()
    }
}

/// Returns the end of that batch.
pub fn end(tmax: i64) -> EndBatch {
    EndBatch {
        name: "cpu".into(),
        group: "host=a".into(),
        tmax,
        tags: BTreeMap::from([("host".into(), "a".into())]),
        by_name: false,
    }
}
