use std::cell::RefCell;

use udf_runtime::{ConcurrentUdf, Emitter, Point, Result, Stream, udf};

#[udf(wants = stream, provides = stream)]
struct Case {
    known: RefCell<Vec<String>>,
}

impl ConcurrentUdf for Case {
    fn workers(&self) -> usize {
        16
    }

    fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        self.known.borrow_mut().push(point.name().to_owned());
        Ok(out.pass(point)?)
    }
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
