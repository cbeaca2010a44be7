use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case {
    #[field]
    user: Option<Option<f64>>,
    #[tag]
    host: Option<Option<String>>,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
