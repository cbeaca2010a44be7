// What rustc refuses by itself is not told again.

use std::borrow::Cow;

use udf_runtime::options::OptionType;

#[derive(OptionType)]
struct LeftOut(&str);

#[derive(OptionType)]
struct Unknown(u8, &'_ str);

#[derive(OptionType)]
struct Borrowed(Cow<str>);

#[derive(OptionType)]
struct Undeclared(&'a str);

#[derive(OptionType)]
struct NotLast(str, u8);

#[derive(OptionType)]
struct Anything(_);

#[derive(OptionType)]
struct Missing(NoSuchType);

fn main() {
    let _ = <LeftOut as OptionType>::from_raw;
}
