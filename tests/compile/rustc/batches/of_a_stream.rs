use udf_runtime::{BatchView, Emitter, Result, Stream, WholeBatchUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {}

impl WholeBatchUdf for Case {
    fn batch(&mut self, _: &BatchView<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
