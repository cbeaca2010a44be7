//! Series of points for all UDFs.
//!
//! | field | contents |
//! | --- | --- |
//! | `v`, `x` | floats around 50 |
//! | `n` | a counter, an integer that sometimes begins anew |
//! | `w` | a word |
//! | `lat`, `lon` | a place |

use std::fmt::Write as _;

use fastrand::Rng;
use udf_runtime::{PointBuf, testing};

const SECOND: i64 = 1_000_000_000;

/// Returns points of a few hosts, about a second apart.
pub(crate) fn usual(seed: u64, count: usize) -> Vec<String> {
    let mut random = Rng::with_seed(seed);
    let mut counters = [0i64; 3];
    let points = (0..count).map(|number| {
        let host = random.usize(..3);
        let time = number as i64 * SECOND + random.i64(0..SECOND / 2);
        let counter = &mut counters[host];
        *counter = if random.u8(..50) == 0 { 0 } else { *counter + random.i64(0..100) };
        let wave = (number as f64 / 20.0).sin() * 5.0;
        format!(
            "m,host={} v={},x={},n={counter}i,w=\"word {}\",lat={},lon={} {time}",
            ["a", "b", "c"][host],
            50.0 + wave + random.f64(),
            50.0 - wave * random.f64(),
            random.u8(..20),
            52.0 + random.f64(),
            13.0 + random.f64(),
        )
    });
    points.collect()
}

/// Returns a point with the host of this number in place of its own.
pub(crate) fn of_host(line: &str, host: usize) -> String {
    let (_, fields) = line.split_once(' ').expect("a line has fields");
    format!("m,host=h{host} {fields}")
}

/// Returns a point with this time in place of its own.
pub(crate) fn at_time(line: &str, time: i64) -> String {
    let (point, _) = line.rsplit_once(' ').expect("a line has a time");
    format!("{point} {time}")
}

/// Returns a point in which all numbers are the same.
pub(crate) fn same_everywhere(value: f64, time: i64) -> PointBuf {
    testing::point("m", |point| {
        let names = ["v", "x", "n", "lat", "lon"];
        names.into_iter().fold(point.time(time), |point, name| point.field(name, value))
    })
}

/// A property of the points of a part of a series.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Huge,
    Tiny,
    Constant,
    Alternating,
    Late,
    Repeated,
    Sparse,
    Lacking,
    Mistyped,
    Crowded,
    Usual,
}

const FAULTS: [Fault; 11] = [
    Fault::Huge,
    Fault::Tiny,
    Fault::Constant,
    Fault::Alternating,
    Fault::Late,
    Fault::Repeated,
    Fault::Sparse,
    Fault::Lacking,
    Fault::Mistyped,
    Fault::Crowded,
    Fault::Usual,
];

/// Returns points of a series that changes its fault every few points. Equal seeds give equal
/// series.
pub(crate) fn ugly(seed: u64, count: usize) -> Vec<String> {
    with_faults(&FAULTS, seed, count)
}

/// Returns points of a series whose values are ugly, and whose times are not.
pub(crate) fn extreme(seed: u64, count: usize) -> Vec<String> {
    with_faults(&[Fault::Huge, Fault::Tiny, Fault::Constant, Fault::Alternating], seed, count)
}

fn with_faults(faults: &[Fault], seed: u64, count: usize) -> Vec<String> {
    let mut random = Rng::with_seed(seed);
    let (mut fault, mut time) = (Fault::Usual, random.i64(0..100 * SECOND));
    let points = (0..count).map(|number| {
        if random.u8(..20) == 0 {
            fault = faults[random.usize(..faults.len())];
        }
        time = match fault {
            Fault::Repeated => time,
            Fault::Sparse => time.saturating_add(random.i64(0..1_000_000 * SECOND)),
            _ => time.saturating_add(random.i64(0..2 * SECOND)),
        };
        let shown = match fault {
            Fault::Late if random.u8(..50) == 0 => {
                [i64::MIN + 2, i64::MAX - 1, 0][random.usize(..3)]
            }
            Fault::Late => time.saturating_sub(random.i64(0..100 * SECOND)),
            _ => time,
        };
        let hosts = if matches!(fault, Fault::Crowded) { 10_000 } else { 3 };
        let mut line = format!("m,host=h{} ", random.u32(..hosts));
        for name in ["v", "x", "lat", "lon"] {
            if matches!(fault, Fault::Lacking) && random.bool() {
                continue;
            }
            let value = number_of(fault, number, &mut random);
            match (fault, random.u8(..3)) {
                (Fault::Mistyped, 0) => write!(line, "{name}=\"{value}\","),
                (Fault::Mistyped, 1) => write!(line, "{name}={},", random.bool()),
                _ if random.u8(..10) == 0 => write!(line, "{name}={}i,", value as i64),
                _ => write!(line, "{name}={value:?},"),
            }
            .expect("a string takes all");
        }
        let counter = match fault {
            Fault::Huge => [i64::MAX, i64::MIN, i64::MAX - 1][random.usize(..3)],
            Fault::Constant => 7,
            _ => number as i64 * 10 - random.i64(0..100),
        };
        let word = random.u32(..if matches!(fault, Fault::Crowded) { 100_000 } else { 20 });
        format!("{line}n={counter}i,w=\"word {word}\" {shown}")
    });
    points.collect()
}

fn number_of(fault: Fault, number: usize, random: &mut Rng) -> f64 {
    let sign = if random.bool() { 1.0 } else { -1.0 };
    match fault {
        Fault::Huge => sign * [f64::MAX, 1e308, 1e300, 1e155, 9.3e18][random.usize(..5)],
        Fault::Tiny => sign * [f64::MIN_POSITIVE, 5e-324, 1e-300, 1e-160, 0.0][random.usize(..5)],
        Fault::Constant => 42.5,
        Fault::Alternating => [-1e6, 1e6][number % 2],
        _ => 50.0 + sign * random.f64() * 10.0,
    }
}
