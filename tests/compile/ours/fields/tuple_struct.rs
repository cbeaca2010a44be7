use udf_runtime::Fields;

#[derive(Fields)]
struct Case(f64);

fn main() {
    let _ = <Case as Fields>::put;
}
