use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[state]
    a: u8,
    #[state(name = "a")]
    b: u8,
    #[option]
    size: u8,
    #[state(made_with = size)]
    c: u8,
    #[state(name = "c.made_with")]
    d: u8,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
