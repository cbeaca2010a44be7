use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream, at_least_one_of(a), at_least_one_of(a, required, a, state))]
struct Case {
    #[option]
    a: Option<u8>,
    #[option]
    required: u8,
    #[state]
    state: u8,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
