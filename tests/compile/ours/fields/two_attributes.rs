use udf_runtime::Fields;

#[derive(Fields)]
struct Case {
    #[field(name = "a")]
    #[field(name = "b")]
    x: f64,
}

fn main() {
    let _ = <Case as Fields>::put;
}
