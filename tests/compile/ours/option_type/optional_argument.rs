use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Case(Option<i64>);

#[derive(OptionType)]
struct Nested(u8, (u8, std::option::Option<String>));

fn main() {
    let _ = <Case as OptionType>::from_raw;
}
