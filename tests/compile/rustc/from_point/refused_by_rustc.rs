// What rustc refuses by itself is not told again.

use udf_runtime::{Fields, FromPoint, Point};

#[derive(FromPoint, Fields)]
struct LeftOut {
    #[field]
    text: &str,
    #[point]
    point: Point,
}

#[derive(FromPoint, Fields)]
struct Undeclared {
    #[field]
    text: Option<&'p str>,
}

#[derive(FromPoint, Fields)]
struct NotLast {
    #[field]
    text: str,
    #[field]
    missing: NoSuchType,
}

fn main() {
    let _ = <LeftOut as FromPoint>::from_point;
}
