use udf_runtime::options::FieldName;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, options, udf};

#[udf(wants = stream, provides = stream)]
struct Names {
    #[option(default = "")]
    empty: FieldName,
    #[option(default = "time")]
    time: options::TagName,
    #[option(default = "avg")]
    fits: FieldName,
}

impl StreamUdf for Names {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
