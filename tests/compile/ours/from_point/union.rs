use udf_runtime::FromPoint;

#[derive(FromPoint)]
union Case {
    x: u8,
}

fn main() {
    let _ = <Case as FromPoint>::from_point;
}
