use std::collections::BTreeMap;

use udf_proto::{BeginBatch, PointBuf, messages};

use super::Group;

fn map(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn point(group: &str, dimensions: &[&str], tags: &[(&str, &str)]) -> messages::Point {
    messages::Point {
        name: "cpu".into(),
        group: group.into(),
        dimensions: dimensions.iter().map(|tag| (*tag).to_owned()).collect(),
        tags: map(tags),
        ..Default::default()
    }
}

fn group(message: messages::Point) -> Group {
    Group::from(PointBuf::from(message).as_point())
}

fn tags(group: &Group) -> Vec<(&str, &str)> {
    group.tags().collect()
}

#[test]
fn a_group_has_the_dimensions_of_its_point_and_no_other_tag() {
    let both = [("host", "a"), ("rack", "r"), ("cpu", "0")];
    let found = group(point("rack=r,host=a", &["rack", "host"], &both));
    assert_eq!((found.id(), found.name()), ("rack=r,host=a", "cpu"));
    assert_eq!(tags(&found), [("rack", "r"), ("host", "a")]);
    assert!(found.dimensions().eq(["rack", "host"]));
    assert_eq!((found.tag("host"), found.tag("cpu")), (Some("a"), None));
    assert!(found.is_complete() && !found.by_name());

    let lacking = group(point("host=", &["host"], &[]));
    assert_eq!(tags(&lacking), [("host", "")]);

    let by_name = messages::Point { by_name: true, ..point("cpu", &[], &both) };
    let by_name = group(by_name);
    assert!(by_name.is_complete() && by_name.by_name() && tags(&by_name).is_empty());

    let all = group(point("", &[], &both));
    assert!(all.is_complete() && tags(&all).is_empty());
}

/// Kapacitor sends neither the dimensions nor `byName` with a point of a batch.
#[test]
fn a_point_of_a_batch_has_the_dimensions_that_its_group_names() {
    let all = [("host", "a,rack=x"), ("rack", "r"), ("cpu", "0")];
    let found = group(point("host=a,rack=x,rack=r", &[], &all));
    assert_eq!(tags(&found), [("host", "a,rack=x"), ("rack", "r")]);
    assert!(found.is_complete() && !found.by_name());

    let lacking = group(point("dc=,rack=r,zone=", &[], &all));
    assert_eq!(tags(&lacking), [("dc", ""), ("rack", "r"), ("zone", "")]);

    let by_name = group(point("cpu\nrack=r", &[], &all));
    assert!(by_name.is_complete() && by_name.by_name());
    assert_eq!(tags(&by_name), [("rack", "r")]);
    let only_name = group(point("cpu", &[], &all));
    assert!(only_name.by_name() && tags(&only_name).is_empty());

    for strange in ["rack=other", "rack", "rack=r;host=a", "mem\nrack=r", ",,,"] {
        let strange = group(point(strange, &[], &all));
        assert!(!strange.is_complete() && tags(&strange).is_empty(), "{strange:?}");
        assert_eq!(strange.name(), "cpu");
    }
}

#[test]
fn many_dimensions_are_found_too() {
    let names: Vec<_> = (0..1000).map(|at| format!("tag{at:04}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let all: Vec<_> = names.iter().map(|name| (*name, &name[3..])).collect();
    let id = all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    let id = id.join(",");
    assert_eq!(tags(&group(point(&id, &names, &all))), all);
    assert_eq!(tags(&group(point(&id, &[], &all))), all);
}

#[test]
fn a_batch_begins_in_the_group_of_another() {
    let begin = BeginBatch {
        name: "cpu".into(),
        group: "cpu\nhost=a".into(),
        tags: map(&[("host", "a")]),
        size: 7,
        by_name: true,
    };
    let group = Group::from(&begin);
    assert!(group.is_complete());
    assert_eq!(BeginBatch::from(&group), BeginBatch { size: 0, ..begin });
}

#[test]
fn groups_are_equal_by_their_id() {
    let [cpu, mem] = ["cpu", "mem"].map(|name| {
        group(messages::Point { name: name.into(), ..point("host=a", &["host"], &[("host", "a")]) })
    });
    assert_eq!(cpu, mem);
    assert_eq!(cpu, Group::of_id("host=a"));
    assert!(cpu < Group::of_id("host=b"));
}

#[test]
fn a_saved_group_comes_back() {
    let by_name =
        messages::Point { by_name: true, ..point("cpu\nhost=a", &["host"], &[("host", "a")]) };
    for saved in [group(by_name), Group::default(), Group::of_id("host=a")] {
        let bytes = rmp_serde::to_vec(&saved).unwrap();
        let restored: Group = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!(format!("{restored:?}"), format!("{saved:?}"));
        // Through a reader, nothing can be borrowed.
        let restored: Group = rmp_serde::from_read(&bytes[..]).unwrap();
        assert_eq!(format!("{restored:?}"), format!("{saved:?}"));
        for cut in 0..bytes.len() {
            rmp_serde::from_slice::<Group>(&bytes[..cut]).expect_err("it is cut");
        }
    }
}
