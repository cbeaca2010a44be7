use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case {
    #[field]
    #[tag]
    user: String,
    #[time]
    #[time]
    time: i64,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
