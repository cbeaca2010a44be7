use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case(Vec<i64>);

#[derive(OptionType)]
struct Nested([Vec<f64>; 2]);

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
