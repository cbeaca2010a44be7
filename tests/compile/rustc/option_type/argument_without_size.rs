use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct Text(str);

#[derive(OptionType)]
struct Numbers(u8, [u8]);

#[derive(OptionType)]
struct Anything(dyn Send);

fn main() {}
