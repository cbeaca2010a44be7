use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case {
    #[field(name = "")]
    user: f64,
    #[tag(name = "")]
    host: String,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
