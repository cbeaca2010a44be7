use udf_runtime::options::OptionType;

#[derive(OptionType)]
enum Case {
    One,
    Two(u8),
    Three { x: u8 },
}

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
