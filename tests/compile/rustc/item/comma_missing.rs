// From this rustc recovers, and the macro with it.

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    field: String
    #[option(default = 10)]
    size: usize,
    #[state]
    seen: i64,
}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        self.seen += self.size as i64;
        Ok(out.edit(point).field("seen", self.seen).field("field", &self.field).send()?)
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
