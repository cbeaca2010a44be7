use udf_runtime::options::OptionType;

#[derive(OptionType)]
union Case {
    low: u8,
}

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
