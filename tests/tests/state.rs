//! `#[state]`: its fields are saved and loaded by name. All other fields are working memory.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use udf_proto::Value::Int;
use udf_runtime::state::{Groups, StateReader, StateWriter};
use udf_runtime::{Udf, udf};
use udf_tests::{handles_nothing, parse};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Window {
    values: Vec<f64>,
}

#[udf(wants = stream, provides = stream)]
struct Keeping {
    #[option(default = 1)]
    size: u8,
    #[state]
    windows: BTreeMap<String, Window>,
    #[state(name = "seen")]
    count: u64,
    #[state]
    groups: Groups<u32>,
    memory: Vec<u8>,
}
handles_nothing!(Keeping);

fn saved(udf: &Keeping) -> Vec<u8> {
    let mut state = StateWriter::new(Keeping::NAME);
    udf.save(&mut state).expect("it can be serialized");
    state.finish()
}

fn full() -> Keeping {
    let mut udf: Keeping = parse(&[("size", &[Int(9)])]).expect("it is accepted");
    udf.windows.insert("a".into(), Window { values: vec![0.5, f64::INFINITY] });
    udf.count = 7;
    *udf.groups.of("host=a") = 3;
    udf.memory.push(1);
    udf
}

#[test]
fn state_is_saved_by_name_and_nothing_else_is() {
    let bytes = saved(&full());
    let mut udf: Keeping = parse(&[]).unwrap();
    udf.memory.push(2);
    udf.load(&mut StateReader::open(Keeping::NAME, &bytes).unwrap()).unwrap();
    assert_eq!(udf.windows, full().windows);
    assert_eq!((udf.count, *udf.groups.of("host=a")), (7, 3));
    assert_eq!((udf.size, &udf.memory[..]), (1, &[2][..]), "neither options nor memory");

    let mut reader = StateReader::open(Keeping::NAME, &bytes).unwrap();
    assert_eq!(reader.field::<u64>("seen").unwrap(), Some(7));
    reader.field::<BTreeMap<String, Window>>("windows").unwrap().unwrap();
    assert_eq!(reader.left().collect::<Vec<_>>(), ["groups"]);
}

#[test]
fn a_field_that_the_snapshot_lacks_is_its_default() {
    let mut state = StateWriter::new(Keeping::NAME);
    state.field("seen", &5u64).unwrap();
    let bytes = state.finish();
    let mut udf = full();
    udf.load(&mut StateReader::open(Keeping::NAME, &bytes).unwrap()).unwrap();
    assert_eq!((udf.count, udf.windows.len(), udf.groups.len()), (5, 0, 0));
}

#[test]
fn an_error_in_any_field_changes_nothing() {
    let mut state = StateWriter::new(Keeping::NAME);
    state.field("windows", &BTreeMap::<String, Window>::new()).unwrap();
    state.field("seen", &"text").unwrap();
    let bytes = state.finish();
    let mut udf = full();
    let error = udf.load(&mut StateReader::open(Keeping::NAME, &bytes).unwrap());
    assert!(error.unwrap_err().to_string().contains("`seen`"));
    assert_eq!((udf.count, &udf.windows), (7, &full().windows));
}

#[test]
fn the_limits_of_groups_outlive_a_restore() {
    let mut udf = full();
    for group in ["b", "c", "d"] {
        udf.groups.of(group);
    }
    let bytes = saved(&udf);
    let mut udf: Keeping = parse(&[]).unwrap();
    udf.groups.limit_count(2);
    udf.load(&mut StateReader::open(Keeping::NAME, &bytes).unwrap()).unwrap();
    assert_eq!(udf.groups.len(), 2, "restored ones are held to them");
    udf.groups.of("e");
    assert!(udf.groups.len() <= 2);
}
