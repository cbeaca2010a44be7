use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case {
    #[time(name = "t")]
    time: i64,
    #[field(nam = "u")]
    user: f64,
    #[tag = "h"]
    host: String,
    #[field(name = 5)]
    five: f64,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
