use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case(());

#[derive(OptionType)]
struct Several((u8, ()), (u8, u8, u8, u8, u8, u8, u8));

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
