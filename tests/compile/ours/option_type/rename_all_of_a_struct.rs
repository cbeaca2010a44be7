use udf_runtime::options::OptionType;

#[derive(OptionType)]
#[option(rename_all = "lowercase")]
struct Case(u8);

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
