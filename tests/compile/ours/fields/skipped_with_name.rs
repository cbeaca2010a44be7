use udf_runtime::Fields;

#[derive(Fields)]
struct Case {
    x: f64,
    #[field(skip, name = "y")]
    y: f64,
}

fn main() {
    let _ = <Case as Fields>::put;
}
