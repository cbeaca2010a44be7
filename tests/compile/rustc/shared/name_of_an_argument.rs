use udf_runtime::shared::Argument;

const SOCKET: Argument = Argument::new("socket", "PATH", "The socket of the service");
const ZONES: Argument = Argument::new("zones file", "FILE", "The zones");

fn main() {
    println!("{SOCKET:?} {ZONES:?}");
}
