use udf_runtime::Fields;

#[derive(Fields)]
enum Case {
    One,
}

fn main() {
    let _ = <Case as Fields>::put;
}
