use udf_runtime::udf;

#[udf(wants = stream, provides = stream)]
fn handle() {}

fn main() {
    handle();
}
