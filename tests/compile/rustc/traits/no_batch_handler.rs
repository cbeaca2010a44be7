use udf_runtime::udf;

#[udf(wants = batch, provides = stream)]
struct Case {}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
