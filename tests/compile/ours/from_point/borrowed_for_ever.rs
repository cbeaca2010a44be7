use std::borrow::Cow;

use udf_runtime::{FieldValue, FromPoint, Point};

#[derive(FromPoint)]
struct Case {
    #[tag]
    host: &'static str,
    #[point]
    point: Point<'static>,
}

#[derive(FromPoint)]
struct Borrowed<'a> {
    #[tag]
    host: &'a str,
    #[tag]
    rack: Option<&'static str>,
    #[group]
    group: Cow<'static, str>,
    #[field]
    any: FieldValue<'static>,
    #[point]
    point: udf_runtime::Point<'static>,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
