use udf_runtime::{Fields, FromPoint};

#[derive(FromPoint, Fields)]
#[point(crate = nowhere)]
struct Case {
    #[field]
    a: f64,
    #[field]
    b: f64,
}

fn main() {}
