use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

use std::time::Duration;

#[udf(wants = stream, provides = stream)]
struct U {
    #[option(on_missing = skip)]
    size: usize,
    #[option(aliases("a", "b"))]
    other: u8,
    #[option(alias = ["a", "b"])]
    more: u8,
    #[option(conflicts = "limit_count")]
    limit_age: Option<Duration>,
    #[option]
    limit_count: Option<u8>,
    #[option(default = None)]
    none: Option<u8>,
    #[option]
    limits: (f64, Option<f64>),
    #[state(skip)]
    seen: u64,
    #[state(rename = "x")]
    kept: u64,
}

impl StreamUdf for U {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.pass(point)?)
    }
}

fn main() {}
