use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    ratio: f64,
    #[option]
    count: u8,
    #[state(max = ratio)]
    groups: Groups<u8>,
    #[state(max = count)]
    values: Vec<u8>,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
