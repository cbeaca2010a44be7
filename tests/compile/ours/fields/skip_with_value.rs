use udf_runtime::Fields;

#[derive(Fields)]
struct Case {
    #[field(skip = true)]
    x: f64,
}

fn main() {
    let _ = <Case as Fields>::put;
}
