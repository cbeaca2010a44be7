use udf_runtime::FromPoint;

#[derive(FromPoint)]
#[point(renam_all = "camelCase")]
struct Case {
    #[field]
    user: f64,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
