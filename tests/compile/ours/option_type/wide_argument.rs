use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case(u128, i128);

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
