//! Generated code in a crate where `core` is another crate, and where names and methods that
//! generated code might use are taken.

#![allow(dead_code, non_upper_case_globals, reason = "the code has only to compile")]

extern crate udf_proto as core;

use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Tick, udf};

trait Undo: Sized {
    fn restore(self, _: u8) {}
    fn make(self) {}
    fn take(self) {}
    fn show(self) {}
    fn data(self) {}
    fn put(self) {}
    fn help(self) {}
    fn types(self) {}
    fn members(self) {}
    fn plain(self) {}
}

impl<T> Undo for T {}

mod names {
    pub(crate) const __value: u8 = 1;
    pub(crate) const __options: u8 = 1;
    pub(crate) const __state: u8 = 1;
    pub(crate) const __point: u8 = 1;
    pub(crate) const __fields: u8 = 1;
    pub(crate) const __raw: u8 = 1;
    pub(crate) const __inner: u8 = 1;
    pub(crate) const __values: u8 = 1;
    pub(crate) const __field_0: u8 = 1;
    pub(crate) const value: u8 = 1;
    pub(crate) const options: u8 = 1;
}
#[allow(unused_imports, reason = "nothing is to use them")]
use names::*;

const KIB: usize = 1 << 10;
const GIB: usize = 1 << 30;
const MAX: u8 = 3;

/// First.
#[doc = include_str!("../compile/help.md")]
#[doc = concat!(" And ", "last.")]
#[udf(wants = stream, provides = stream, tick = "1s")]
struct Everything {
    #[doc = include_str!("../compile/help.md")]
    #[option(default = "x")]
    text: String,
    #[option(default = 5, validate = is_any)]
    non_zero: std::num::NonZeroU8,
    #[option(default = KIB << 6, range = KIB..=GIB >> 2)]
    buffer: usize,
    #[option(default = MAX < 5, validate = is_any::<bool>)]
    small: bool,
    #[option(default = b',', range = b'!'..=b'~')]
    separator: u8,
    #[option(default = if let 3 = MAX { 1 } else { 2 })]
    chosen: u8,
    #[option(range = 1.., requires = buffer)]
    needy: Option<u8>,
    #[state]
    seen: u64,
    memory: Vec<u8>,
}

fn is_any<T>(_: &T) -> std::result::Result<(), String> {
    Ok(())
}

impl StreamUdf for Everything {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

impl Tick for Everything {
    fn tick(&mut self, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }
}

#[derive(udf_runtime::options::OptionType)]
enum Choice {
    /// The one.
    One,
}

#[derive(udf_runtime::options::OptionType)]
struct Pair(u8, u8);

#[derive(udf_runtime::FromPoint, udf_runtime::Fields)]
struct Typed {
    #[field]
    user: u8,
}

/// A UDF whose defaults come through a macro.
macro_rules! of_expressions {
    ($name:ident, $tuple:expr, $array:expr) => {
        #[udf(wants = stream, provides = stream)]
        struct $name {
            #[option(default = $tuple)]
            tuple: (u8, String),
            #[option(default = $array)]
            array: [f64; 2],
            #[option(default = $array, range = 0..)]
            within: [f64; 2],
        }

        impl StreamUdf for $name {
            fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
                Ok(out.pass(point)?)
            }
        }
    };
}

of_expressions!(OfExpressions, (1, "a"), [1, 2]);

#[test]
fn defaults_are_what_the_expressions_say() {
    let everything: Everything = udf_tests::parse(&[]).expect("nothing is required");
    assert_eq!((everything.buffer, everything.separator, everything.chosen), (KIB << 6, b',', 1));
    assert!(everything.small);
    let made: OfExpressions = udf_tests::parse(&[]).expect("nothing is required");
    assert_eq!(
        (made.tuple, made.array, made.within),
        ((1, "a".to_owned()), [1.0, 2.0], [1.0, 2.0])
    );
}

#[test]
fn docs_of_macros_are_help() {
    use udf_runtime::Udf;
    assert_eq!(<Everything as udf_runtime::Udf>::help(), "First. Text of the file.\nAnd last.");
    assert_eq!(Everything::options()[0].help, "Text of the file.");
}
