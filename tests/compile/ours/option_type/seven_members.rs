use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case(u8, u8, u8, u8, u8, u8, u8);

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
