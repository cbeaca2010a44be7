use udf_runtime::{Stream, Emitter, Point, Result, StreamUdf, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    kept: Vec<String>,
}

impl StreamUdf for Case {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        self.kept.push(point.name().to_owned());
        std::thread::spawn(move || out.build("later").field("x", 1.0).send());
        Ok(())
    }
}

fn main() {}
