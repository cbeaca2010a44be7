use udf_runtime::options::OptionType;

#[derive(OptionType)]
enum Case {
    One,
    #[option(name = "one")]
    Two,
    #[option(alias = "three", alias = "one")]
    Three,
}

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
