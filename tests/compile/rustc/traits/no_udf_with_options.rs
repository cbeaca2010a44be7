use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf};

struct Case {
    #[option]
    size: u8,
    #[state]
    seen: u64,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.seen += 1;
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
