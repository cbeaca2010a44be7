use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    count: u8,
    #[state(max = coutn)]
    groups: Groups<u8>,
    #[state(max = memory)]
    no_option: Groups<u8>,
    #[state(max = 5)]
    number: Groups<u8>,
    #[state(max(count))]
    list: Groups<u8>,
    #[state(max = count, max = memory)]
    twice: Groups<u8>,
    #[state(max)]
    bare: Groups<u8>,
    memory: u8,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
