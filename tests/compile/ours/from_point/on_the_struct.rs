use udf_runtime::FromPoint;

#[derive(FromPoint)]
#[field(rename_all = "camelCase")]
#[tag]
#[time]
#[group]
#[point]
struct Case {
    #[field]
    user: f64,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
