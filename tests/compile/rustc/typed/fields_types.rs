use udf_runtime::Fields;

struct Own;

#[derive(Fields)]
struct Case {
    a: Own,
    b: u64,
    c: usize,
    d: Vec<f64>,
}

fn main() {}
