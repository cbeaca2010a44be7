use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

type Wait = std::time::Duration;

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(default = "127.0.0.1")]
    a: std::net::IpAddr,
    #[option(default = "10s")]
    b: Wait,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
