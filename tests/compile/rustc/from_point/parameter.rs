// Where the author says nothing of a parameter, it can be what such a member can.

use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Free<T> {
    #[field]
    user: T,
}

#[derive(FromPoint)]
struct Bound<T: Clone> {
    #[field]
    user: T,
}

fn main() {}
