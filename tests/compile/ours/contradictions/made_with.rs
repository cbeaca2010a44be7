use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    count: u8,
    #[option(secret)]
    token: Option<String>,
    #[state(made_with(count, count, coutn, memory, token, "count"))]
    groups: Groups<u8>,
    #[state(made_with())]
    empty: u8,
    #[state(made_with)]
    bare: u8,
    #[state(made_with = count, made_with = memory)]
    twice: u8,
    #[state(mad_with = count)]
    misspelt: u8,
    #[state(made_with = something)]
    unlike: u8,
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
