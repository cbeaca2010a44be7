//! Tests of `zones`.

use std::sync::Arc;

use udf_runtime::shared::{Arguments, Current, Shared};
use udf_runtime::testing;

use super::{Locate, Within, Zones, zone};

fn zones(lines: &[&str]) -> Arc<Zones> {
    let all = lines.iter().map(|line| zone(line).expect("it is a zone")).collect();
    Arc::new(Zones { file: "zones.csv".into(), all: Current::new(all) })
}

#[test]
fn points_get_the_zone_that_they_lie_in() {
    let zones = zones(&["north,50,0,60,10", "south,40,0,50,10"]);
    let mut task = testing::udf::<Locate>().shared(Arc::clone(&zones)).start();
    task.feed("car lat=50,lon=5 1\ncar lat=49.9,lon=0 2\ncar lat=50,lon=10 3");
    task.emits(
        "car,zone=north lat=50,lon=5 1\ncar,zone=south lat=49.9,lon=0 2\ncar lat=50,lon=10 3",
    );
    zones.all.set(vec![zone("all,-90,-180,90,180").expect("it is a zone")]);
    task.feed("car lat=50,lon=10 4");
    task.emits("car,zone=all lat=50,lon=10 4");
}

#[test]
fn points_of_other_zones_are_dropped() {
    let zones = zones(&["north,50,0,60,10", "south,40,0,50,10"]);
    let mut task = testing::udf::<Within>().shared(zones).option("zone=south").start();
    task.feed("car lat=50,lon=5 1\ncar lat=49.9,lon=0 2\ncar lat=9,lon=9 3");
    task.emits("car lat=49.9,lon=0 2");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let error = Zones::open(&Arguments::of::<Zones>(&[("zones", "/no/file")])).map(drop);
    let text = error.map_err(|error| error.to_string());
    assert_eq!(text, Err("/no/file: No such file or directory (os error 2)".to_owned()));
}

#[test]
fn a_line_that_is_no_zone_is_refused() {
    for line in ["", ",1,2,3,4", "a,1,2,3", "a,1,2,3,4,5", "a,1,2,3,x"] {
        assert!(zone(line).is_none(), "{line}");
    }
}
