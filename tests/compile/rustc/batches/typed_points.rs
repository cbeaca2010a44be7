use udf_runtime::{Batch, BatchView, Emitter, FromPoint, Result, WholeBatchUdf, udf};

#[derive(FromPoint)]
struct Cpu<'p> {
    #[tag]
    host: &'p str,
}

#[udf(wants = batch, provides = batch, point = Cpu<'_>)]
struct Case {}

impl WholeBatchUdf for Case {
    fn batch(&mut self, _: &BatchView<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
