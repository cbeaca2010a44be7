use udf_runtime::Fields;

#[derive(Fields)]
#[fields(rename = "camelCase")]
struct Case {
    #[field(nam = "y")]
    x: f64,
}

fn main() {
    let _ = <Case as Fields>::put;
}
