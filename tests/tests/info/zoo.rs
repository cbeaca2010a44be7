//! UDFs with every kind of option. Each accepts its own TICKscript.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroI8, NonZeroU8, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use udf_runtime::Udf;
use udf_runtime::options::{Help, MustBe, OptionType};
use udf_tests::udf_of;

use super::{accepts, description, runs, tick};

#[derive(Debug, OptionType)]
enum Level {
    #[option(name = "it's")]
    Its,
    High,
}

#[derive(Debug, OptionType)]
struct Bytes(u8);

#[derive(Debug)]
struct Percent(f64);

impl OptionType for Percent {
    type Raw = f64;

    fn from_raw(raw: f64) -> udf_runtime::Result<Self> {
        let fits = raw > 1.0 && raw <= 100.0;
        if fits { Ok(Percent(raw)) } else { Err(MustBe::new("a percentage").into()) }
    }

    fn to_raw(&self) -> f64 {
        self.0
    }

    fn help() -> Help {
        Help::new().example(50.0)
    }
}

#[derive(Debug)]
struct Odd((i64, i64));

impl OptionType for Odd {
    type Raw = (i64, i64);

    fn from_raw(raw: (i64, i64)) -> udf_runtime::Result<Self> {
        let odd = (raw.0 + raw.1) % 2 != 0;
        if odd { Ok(Odd(raw)) } else { Err(format!("the sum of {raw:?} is even").into()) }
    }

    fn to_raw(&self) -> (i64, i64) {
        self.0
    }

    fn help() -> Help {
        Help::new().example((10, 1))
    }
}

udf_of!(Plain {
    #[option]
    a: bool,
    #[option]
    b: i8,
    #[option]
    c: u64,
    #[option]
    d: NonZeroI8,
    #[option]
    e: NonZeroU64,
    #[option]
    f: f32,
    #[option]
    g: f64,
    #[option]
    h: String,
    #[option]
    i: char,
    #[option]
    j: PathBuf,
    #[option]
    k: Duration,
    #[option]
    l: Level,
    #[option]
    m: Bytes,
    #[option]
    n: Percent,
    #[option]
    o: Odd,
    #[option(flag)]
    p: bool,
    #[option]
    q: Option<i16>,
    #[option]
    r: Vec<u16>,
});

udf_of!(Ranges {
    #[option(range = 0.0..1.0)]
    share: [f32; 3],
    #[option(range = 20..)]
    arr: [i64; 2],
    #[option(range = -5..=-2)]
    c: i8,
    #[option(range = 200..)]
    d: u8,
    #[option(range = 5.5..=5.6)]
    e: f64,
    #[option(range = ..-1.0, example = -2.5)]
    f: f64,
    #[option(range = "1ms".."2ms")]
    g: Duration,
    #[option(range = "26w"..)]
    h: Option<Duration>,
    #[option(range = ..3)]
    i: NonZeroU8,
    #[option(range = -3..0)]
    j: Vec<i32>,
    #[option(range = 1_000_000_000_000..=1_000_000_000_001)]
    k: [u64; 2],
});

udf_of!(Several {
    #[option]
    a: (String, u8, char, PathBuf),
    #[option]
    b: (f64, (Bytes, char)),
    #[option]
    c: [Level; 2],
    #[option]
    d: (Level, Percent, Duration),
    #[option]
    e: [(char, u8); 2],
    #[option]
    f: ([Percent; 2], bool),
    #[option]
    g: (Odd, NonZeroU8),
});

udf_of!(Often {
    #[option(len = 3..)]
    a: Vec<u8>,
    #[option(len = 2..=2)]
    b: Vec<(String, f64)>,
    #[option(parse, example = "::1", len = 1..)]
    c: Vec<IpAddr>,
    #[option(len = ..3)]
    d: Vec<Duration>,
});

/// A text in the form that `read` accepts.
macro_rules! text {
    ($name:ident, $read:expr) => {
        struct $name;

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let read: fn(&str) -> bool = $read;
                if read(text) { Ok($name) } else { Err(format!("{text:?} will not do")) }
            }
        }
    };
}

text!(Url, |text| text.starts_with("http://") || text.starts_with("https://"));
text!(Date, |text| text.split('-').filter_map(|part| part.parse::<u16>().ok()).count() == 3);
text!(Pair, |text| text.split_once('=').is_some());
text!(HostAndPort, |text| {
    text.split_once(':').is_some_and(|(host, port)| host.len() > 1 && port.parse::<u16>().is_ok())
});

udf_of!(Texts {
    #[option(len = 10.., example = "a long text")]
    a: String,
    #[option(len = ..=2, example = "ab")]
    b: String,
    #[option(len = 0..=0, example = "")]
    c: String,
    #[option(parse, example = "127.0.0.1")]
    d: IpAddr,
    #[option(parse, example = "127.0.0.1:80")]
    e: SocketAddr,
    #[option(parse, example = "10")]
    f: u128,
    #[option(parse, example = "2026-01-01")]
    g: Option<Date>,
    #[option(parse, example = "::1")]
    h: Ipv6Addr,
    #[option(parse, example = "http://localhost/")]
    i: Url,
    #[option(parse, example = "2026-01-01")]
    j: Date,
    #[option(parse, example = "a=b")]
    k: Pair,
    #[option(parse, example = "localhost:80")]
    l: HostAndPort,
    #[option(parse, example = "10.0.0.1", len = 8..=9)]
    m: IpAddr,
    #[option(parse, example = "::1", validate = is_v6)]
    n: IpAddr,
});

fn that(fits: bool) -> Result<(), &'static str> {
    if fits { Ok(()) } else { Err("it will not do") }
}

fn is_v6(address: &IpAddr) -> Result<(), &'static str> {
    that(address.is_ipv6())
}

fn is_even(value: &i64) -> Result<(), &'static str> {
    that(value % 2 == 0)
}

fn is_odd(value: &i64) -> Result<(), &'static str> {
    that(value % 2 == 1)
}

fn is_shouted(text: &str) -> Result<(), &'static str> {
    that(text.len() > 1 && text.chars().all(char::is_uppercase))
}

fn rises(values: &[f64]) -> Result<(), &'static str> {
    that(values.is_sorted_by(|one, next| one < next))
}

fn falls(values: &[i64]) -> Result<(), &'static str> {
    that(values.is_sorted_by(|one, next| one > next))
}

fn is_one(shares: &[f64]) -> Result<(), &'static str> {
    that(shares.iter().sum::<f64>() == 1.0)
}

fn is_off((path, port): &(PathBuf, u16)) -> Result<(), &'static str> {
    that(path.is_absolute() && *port > 1023)
}

fn is_minutes(time: &Duration) -> Result<(), &'static str> {
    that(time.as_secs() >= 60 && time.as_secs().is_multiple_of(60))
}

udf_of!(Checked {
    #[option(example = 10, validate = is_even)]
    a: i64,
    #[option(example = 1, validate = is_odd)]
    b: Vec<i64>,
    #[option(example = "TEXT", validate = is_shouted)]
    c: String,
    #[option(example = [0.5, 1], validate = rises)]
    d: [f64; 2],
    #[option(example = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], validate = rises, range = 0.0..1.0)]
    e: [f64; 6],
    #[option(example = [5, 4, 3, 2, 1], validate = falls)]
    f: [i64; 5],
    #[option(example = [0.25, 0.25, 0.5], validate = is_one)]
    g: [f64; 3],
    #[option(example = ("/tmp/file", 8080), validate = is_off)]
    h: (PathBuf, u16),
    #[option(example = "1m", validate = is_minutes)]
    i: Duration,
    #[option(example = 102, validate = is_even, range = 101..=102)]
    j: i64,
});

udf_of!(Related {
    #[option(len = 1.., requires(first, old))]
    needy: Vec<u8>,
    #[option(requires(second, third))]
    first: Option<u8>,
    #[option(flag, conflicts = other)]
    second: bool,
    #[option(default = 5, range = ..=5)]
    third: u8,
    #[option]
    other: Option<String>,
    #[option(requires = plain)]
    free: Option<Duration>,
    #[option]
    plain: Option<Duration>,
    #[option(deprecated = "use `.needy`")]
    old: Option<u8>,
});

udf_of!(Shown {
    #[option(default = "a\nb\n  // c")]
    quote: String,
    #[option(default = f64::NAN)]
    gap: f64,
    #[option(default = 1e-9)]
    least: f64,
    #[option(default = 7, example = 9)]
    chosen: u8,
    #[option(default = 300, range = 200..)]
    counts: u16,
    #[option(example = "x\ny'\\")]
    live: String,
    #[option(default = i64::MIN)]
    end: i64,
});

#[test]
fn the_tickscript_of_info_is_accepted() {
    runs::<Plain>();
    runs::<Ranges>();
    runs::<Several>();
    runs::<Often>();
    runs::<Texts>();
    runs::<Checked>();
    runs::<Related>();
    runs::<Shown>();
}

#[test]
fn samples_are_what_an_author_would_write() {
    let all =
        [tick::<Ranges>(), tick::<Often>(), tick::<Texts>(), tick::<Related>(), tick::<Shown>()];
    let all = all.concat();
    for line in [
        ".share(0.0, 0.0, 0.0)\n",
        ".arr(20, 20)\n",
        "        .a(10)\n        .a(10)\n        .a(10)\n        .b('text', 1.0)\n",
        ".d('127.0.0.1')\n",
        "        // Needs .first and .old too.\n        .needy(10)\n",
        "        // Needs .second and .third too.\n        .first(10)\n",
        "        // Not together with .other.\n        .second()\n        .third(5)\n",
        "        // Optional. Not together with .second.\n        // .other('text')\n",
        "        // Deprecated: use `.needy`.\n        .old(10)\n",
        "        // Optional.\n        // .quote('a\n//b\n//  // c')\n",
        "// .gap(1.0)\n",
        "// .least(0.000000001)\n",
        "// .chosen(9)\n",
        "// .counts(300)\n",
    ] {
        assert!(all.contains(line), "{line} is not in {all}");
    }
}

#[test]
fn how_often_it_must_be_called_is_told() {
    let least: Vec<_> = Often::options().iter().map(|option| option.min_calls).collect();
    assert_eq!(least, [3, 2, 1, 0]);
    let json: serde_json::Value = serde_json::from_str(&description::<Often>().to_json()).unwrap();
    assert_eq!(json["options"][0]["min_calls"], 3);
    assert!(accepts::<Often>(vec![]).unwrap_err().contains(
        "`.a` is missing, and must be called at least 3 times; write `.a(10)` for each of them;"
    ));
}
