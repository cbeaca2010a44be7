use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(conflicts = b, requires = b)]
    a: Option<i64>,
    #[option]
    b: Option<i64>,
    #[option(requires = d)]
    c: Option<i64>,
    #[option(conflicts = c)]
    d: Option<i64>,
    #[option(conflicts(b, b))]
    twice: Option<i64>,
    #[option(requires = b)]
    required: i64,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
