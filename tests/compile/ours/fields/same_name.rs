use udf_runtime::Fields;

#[derive(Fields)]
struct Case {
    mean: f64,
    #[field(name = "mean")]
    avg: f64,
}

fn main() {
    let _ = <Case as Fields>::put;
}
