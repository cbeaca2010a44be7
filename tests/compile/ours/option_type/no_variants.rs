use udf_runtime::options::OptionType;

#[derive(OptionType)]
enum Case {}

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
