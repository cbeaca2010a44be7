// Rustc says that an attribute is unknown; where the member comes from is not asked then.

use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case {
    #[feild]
    a: f64,
    #[tags]
    b: String,
    #[option]
    c: f64,
    #[state]
    d: f64,
    #[fields]
    e: f64,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
