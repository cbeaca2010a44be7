use udf_runtime::options::OptionType;

#[derive(OptionType)]
#[option(rename_all = "snakecase")]
enum Case {
    One,
}

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
