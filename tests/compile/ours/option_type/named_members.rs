use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case {
    low: u8,
}

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
