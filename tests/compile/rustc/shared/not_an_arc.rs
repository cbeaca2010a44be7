use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

struct Zones;

impl udf_runtime::shared::Shared for Zones {
    fn open(_: &udf_runtime::shared::Arguments) -> Result<Self> {
        Ok(Zones)
    }
}

#[udf(wants = stream, provides = stream)]
struct Case {
    #[shared]
    zones: Zones,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
