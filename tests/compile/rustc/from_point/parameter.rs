// A derive adds no bounds: the author writes them.

use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case<T> {
    #[field]
    user: T,
}

fn main() {}
