//! A struct becomes a UDF.

use std::collections::BTreeMap;

use udf_proto::{Value, ValueType};
use udf_runtime::{Batch, Emitter, Point, Result, Stream, StreamUdf, Udf, udf};
use udf_tests::{parse, refusal};

/// Mean of a field over its last `size` points.
#[udf(wants = stream, provides = stream)]
struct MovingAvg {
    /// Field to average.
    #[option]
    field: String,
    /// Points in the window.
    #[option(range = 1..)]
    size: usize,
    /// Name of the field that is emitted.
    #[option(default = "avg")]
    r#as: String,
    #[state]
    windows: BTreeMap<String, Vec<f64>>,
}

impl StreamUdf for MovingAvg {
    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        self.windows.entry(point.group().to_owned()).or_default().push(point.number(&self.field)?);
        Ok(())
    }
}

#[test]
fn a_struct_becomes_a_udf() {
    assert_eq!(MovingAvg::NAME, "moving_avg");
    assert_eq!(MovingAvg::HELP, "Mean of a field over its last `size` points.");
    let options = MovingAvg::options();
    assert_eq!(options[1].name, "size");
    assert_eq!(options[1].args, [ValueType::Int]);
    assert_eq!(options[1].range.as_deref(), Some("at least 1"));
    assert_eq!(options[2].default, Some(vec![Value::from("avg")]));
    let made: MovingAvg = parse(&[("field", &["x".into()]), ("size", &[Value::Int(3)])]).unwrap();
    assert_eq!((&*made.field, made.size, &*made.r#as), ("x", 3, "avg"));
}

#[test]
fn refusal_reads_well() {
    assert_eq!(
        refusal::<MovingAvg>(&[("size", &[Value::Int(0)])]),
        "failed to initialize processes UDF moving_avg: 2 problems with its options: \
         (1) `.field` is missing; write `.field('text')`; \
         (2) `.size(0)`: the argument must be at least 1; write `.size(1)`;"
    );
    let _: Option<Emitter<Batch>> = None;
}
