use udf_runtime::FromPoint;

#[derive(FromPoint)]
struct Case {
    #[time]
    time: Option<i64>,
    #[group]
    group: Option<String>,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
