// Rustc may not know `tag`; here it does, and no member is left to become a field.

use udf_runtime::{Fields, FromPoint};

#[derive(FromPoint, Fields)]
struct Case {
    #[tag]
    host: String,
}

fn main() {}
