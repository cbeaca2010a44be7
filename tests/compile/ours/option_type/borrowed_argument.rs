use std::path::Path;

use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case(&'static str);

#[derive(OptionType)]
struct Several<'a>(u8, &'a Path, &'a [u8], &'a f64);

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
