use udf_runtime::udf;

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    size: u8,
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
