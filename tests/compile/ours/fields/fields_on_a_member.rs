use udf_runtime::Fields;

#[derive(Fields)]
struct Case {
    #[fields(name = "y")]
    x: f64,
}

fn main() {
    let _ = <Case as Fields>::put;
}
