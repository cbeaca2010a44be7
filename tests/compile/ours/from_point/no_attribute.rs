use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case {
    user: f64,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
