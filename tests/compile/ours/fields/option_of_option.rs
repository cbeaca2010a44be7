use udf_runtime::Fields;

#[derive(Fields)]
struct Case {
    x: Option<Option<f64>>,
}

fn main() {
    let _ = <Case as Fields>::put;
}
