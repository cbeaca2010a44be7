// Neither derive sees the other, and what both find is told once.

use udf_runtime::{Fields, FromPoint};

#[derive(FromPoint, Fields)]
#[field(rename_all = "camelCase")]
struct Case {
    #[field(nam = "a")]
    a: f64,
    #[field(name = 5)]
    b: f64,
    #[field(name = "")]
    c: f64,
    #[field = "d"]
    d: f64,
    #[field(name)]
    e: f64,
    #[field(name = )]
    f: f64,
    #[field(name = "g", name = "h")]
    g: f64,
    #[field]
    #[field(name = "h")]
    h: f64,
    #[field("i")]
    i: f64,
    #[field(skip = true)]
    j: f64,
    #[field]
    k: Option<Option<f64>>,
    #[fields(name = "l")]
    l: f64,
    #[tag(nam = "m")]
    m: String,
}

#[derive(FromPoint, Fields)]
struct Tuple(f64);

#[derive(FromPoint, Fields)]
enum Enum {
    One,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
    let _ = <Case as Fields>::put;
}
