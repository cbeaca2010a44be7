use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

#[derive(udf_runtime::options::OptionType)]
enum Kind {
    One,
}

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    kind: Kind,
    #[option]
    fine: u8,
    #[state(made_with(fine, kind))]
    groups: Groups<u8>,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
