use udf_runtime::Fields;

#[derive(Fields)]
struct Case {}

fn main() {
    let _ = <Case as Fields>::put;
}
