// The stubs of one item do not disturb the others.

use udf_runtime::options::OptionType;
use udf_runtime::{Emitter, Fields, FromPoint, Result, Stream, StreamUdf, udf};

#[derive(OptionType)]
#[option(rename_all = "nocase")]
enum Level {
    Low,
    High(u8),
}

#[derive(FromPoint)]
struct Cpu<'p> {
    #[field(nam = "usage_user")]
    user: f64,
    host: &'p str,
}

#[derive(Fields)]
struct Busy {
    #[field(name = "")]
    busy: f64,
    #[field(skp)]
    other: f64,
}

#[udf(wants = stream, provides = stream, point = Cpu<'_>)]
struct Case {
    #[option(default = Level::Low, rnge = 1..)]
    level: Level,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Cpu<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.build("busy").fields(&Busy { busy: 1.0, other: 2.0 }).send()?)
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
