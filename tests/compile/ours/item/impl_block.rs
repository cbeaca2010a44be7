use udf_runtime::udf;

struct Case;

#[udf(wants = stream, provides = stream)]
impl Case {
    fn new() -> Self {
        Case
    }
}

fn main() {
    let _ = Case::new();
}
