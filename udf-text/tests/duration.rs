//! Durations are parsed as in TICKscript.

use std::time::Duration;

use proptest::prelude::*;
use udf_proto::Value;
use udf_text::duration::{DurationError, nanos, parse, positive};

#[test]
fn durations_know_all_units_and_their_limits() {
    let cases = [
        ("0s", Ok(0)),
        ("1ns", Ok(1)),
        ("1u", Ok(1_000)),
        ("1µ", Ok(1_000)),
        ("100ms", Ok(100_000_000)),
        ("1m", Ok(60_000_000_000)),
        ("2d", Ok(172_800_000_000_000)),
        ("1w", Ok(604_800_000_000_000)),
        ("-1h1ns", Ok(-3_600_000_000_001)),
        ("9223372036854775807ns", Ok(i64::MAX)),
        ("-9223372036854775808ns", Ok(i64::MIN)),
        ("9223372036854775808ns", Err(DurationError::TooLong)),
        ("99999999999999999999s", Err(DurationError::TooLong)),
        ("18446744073709551615w", Err(DurationError::TooLong)),
        ("", Err(DurationError::Malformed)),
        ("-", Err(DurationError::Malformed)),
        ("s", Err(DurationError::Malformed)),
        ("1.5h", Err(DurationError::Malformed)),
        ("1h 30m", Err(DurationError::Malformed)),
        ("1h-30m", Err(DurationError::Malformed)),
        ("10", Err(DurationError::NoUnit)),
        ("1h30", Err(DurationError::NoUnit)),
        ("10y", Err(DurationError::Unit)),
    ];
    for (text, expected) in cases {
        assert_eq!(nanos(text), expected, "{text}");
    }
}

#[test]
fn every_error_says_what_to_write() {
    for (text, expected) in [
        ("1.5h", "write whole numbers with units, like 10s, 100ms or 1h30m"),
        (
            "10",
            "the unit is missing; write 10s or 5m, for example, with one of ns, u, ms, s, m, h, d and w",
        ),
        ("10y", "the unit is unknown; use one of ns, u, ms, s, m, h, d and w"),
        ("-1s", "must not be negative"),
        ("0s", "must be greater than zero"),
        ("99999w", "it must be shorter than about 292 years"),
    ] {
        assert_eq!(positive(text).map_err(|error| error.to_string()), Err(expected.to_owned()));
    }
}

#[test]
fn zero_is_a_duration_but_takes_no_time() {
    assert_eq!(parse("0s"), Ok(Duration::ZERO));
    assert_eq!(positive("0s"), Err(DurationError::Zero));
    assert_eq!(positive("1ns"), Ok(Duration::from_nanos(1)));
}

proptest! {
    #[test]
    fn a_duration_reads_as_it_is_shown(length in any::<i64>()) {
        prop_assert_eq!(nanos(&Value::Duration(length).to_string()), Ok(length));
    }

    #[test]
    fn no_text_panics(text in any::<String>(), near in "[0-9numshdw.µ-]{0,20}") {
        let _ = (nanos(&text), nanos(&near), positive(&near));
    }
}
