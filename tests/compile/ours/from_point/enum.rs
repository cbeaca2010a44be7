use udf_runtime::FromPoint;

#[derive(FromPoint)]
enum Case {
    One,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
