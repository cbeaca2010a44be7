// rustc would tell these of the code that is made of them.

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(default = 1 +)]
    a: i64,
    #[option(default = @)]
    b: i64,
    #[option(default = 1 2)]
    c: i64,
    #[option(default = "x" "y")]
    d: String,
    #[option(range = 1..=3 $ 4)]
    e: i64,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
