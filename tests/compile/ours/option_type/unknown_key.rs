use udf_runtime::options::OptionType;

#[derive(OptionType)]
#[option(renam_all = "lowercase")]
enum Case {
    #[option(nam = "1")]
    One,
    #[option(default)]
    Two,
    #[option]
    Three,
}

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
