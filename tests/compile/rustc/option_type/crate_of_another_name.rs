use udf_runtime::options::OptionType;

#[derive(OptionType)]
#[option(crate = nowhere)]
struct Case(u8, Own);

struct Own;

fn main() {}
