// An edge that is there in some way is not told to be missing, and fits every handler.

use udf_runtime::{Batch, Emitter, Point, Result, StreamUdf, udf};

#[udf(want = stream, provides batch)]
struct Case {}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
