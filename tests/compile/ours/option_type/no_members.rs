use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case;

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
