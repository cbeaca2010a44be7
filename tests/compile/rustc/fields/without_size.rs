use udf_runtime::Fields;

#[derive(Fields)]
struct Case {
    x: f64,
    numbers: [u8],
}

fn main() {}
