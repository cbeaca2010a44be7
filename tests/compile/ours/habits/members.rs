use udf_runtime::FromPoint;
use udf_runtime::options::OptionType;

#[derive(FromPoint)]
struct Cpu {
    #[field(rename = "usage_user")]
    user: f64,
    #[field(default)]
    system: f64,
    #[field("idle")]
    idle: f64,
    #[tag(default = "a")]
    host: String,
}

#[derive(OptionType)]
enum Mode {
    #[option(rename = "x")]
    Fast,
    #[option(skip)]
    Slow,
}

fn main() {}
