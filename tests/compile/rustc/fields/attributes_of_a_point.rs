// Rustc says what is unknown; that no field is left is not told then.

use udf_runtime::Fields;

#[derive(Fields)]
struct Case {
    #[tag]
    host: String,
}

#[derive(Fields)]
struct Misspelt {
    #[feild(name = "a")]
    user: f64,
}

fn main() {
    let _ = <Case as Fields>::put;
}
