// That a handler is missing is told once what is wrong with the struct has been mended.

use udf_runtime::udf;

#[udf(wants = stream, provides = stream)]
struct Case {
    #[option(defalt = 3)]
    x: u8,
}

fn main() {
    let _ = udf_runtime::main::<Case>();
}
