use udf_runtime::options::OptionType;

#[derive(OptionType)]
#[option(ignore_case)]
enum Case {
    One,
    #[option(name = "ONE")]
    Other,
}

#[derive(OptionType)]
#[option(ignore_case)]
struct Percent(f64);

fn main() {}
