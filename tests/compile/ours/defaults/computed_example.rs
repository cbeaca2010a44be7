use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Examples {
    #[option(example = computed())]
    size: u8,
    #[option(parse, example = "1.1.1.1".to_owned())]
    server: std::net::IpAddr,
    #[option(example = Other::new())]
    other: Other,
}

impl StreamUdf for Examples {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
