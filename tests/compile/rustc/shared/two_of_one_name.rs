use std::process::ExitCode;

mod one {
    use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

    #[udf(wants = stream, provides = stream)]
    pub struct Case {}

    impl StreamUdf for Case {
        fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
            Ok(())
        }
    }
}

mod other {
    use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

    #[udf(wants = stream, provides = stream)]
    pub struct Case {}

    impl StreamUdf for Case {
        fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
            Ok(())
        }
    }
}

fn main() -> ExitCode {
    udf_runtime::main!(one::Case, other::Case)
}
