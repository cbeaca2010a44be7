use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case(#[option(range = 1..)] u8);

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
