use udf_runtime::Fields;

#[derive(Fields)]
#[field(rename_all = "camelCase")]
#[fields]
struct Case {
    x: f64,
}

fn main() {
    let _ = <Case as Fields>::put;
}
