use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case {
    #[field(skip)]
    user: f64,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
