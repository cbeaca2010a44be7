// Each is told once, at the type, and nothing follows where the option types are used.

use std::collections::HashMap;

use udf_runtime::options::OptionType;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

struct Own;

struct Other<T>(T);

#[derive(OptionType)]
struct Single(Own);

#[derive(OptionType)]
struct Several(u8, (Own, u8), [Other<u8>; 2]);

#[derive(OptionType)]
struct Boxed(Box<str>, HashMap<String, u8>);

#[derive(OptionType)]
struct Generic<T, const N: usize>(T, [Own; N]);

#[derive(OptionType)]
struct Outer(Single, Several);

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option]
    single: Single,
    #[option]
    all: Vec<Several>,
    #[option]
    outer: Option<Outer>,
    #[option(default = Generic(1, []))]
    generic: Generic<u8, 0>,
}

impl StreamUdf for Case {
    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = <Single as OptionType>::from_raw;
    let _ = Outer::from_raw;
    let _ = udf_runtime::main::<Case>();
}
