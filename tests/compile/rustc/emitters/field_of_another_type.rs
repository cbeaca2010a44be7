use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    kept: Vec<u8>,
}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        out.edit(point).field("count", self.kept.len()).send()?;
        Ok(out.edit(point).only_field("text", format!("{} kept", self.kept.len())).send()?)
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
