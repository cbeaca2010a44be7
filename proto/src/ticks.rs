//! Ticks on request: an extension of the protocol, between a host and UDFs of this kit.
//!
//! By itself, a UDF ticks by the clock. A host that plays recorded data, or that must get the same
//! output from the same input, requests the ticks instead. It uses keepalives with times that
//! Kapacitor never sends, and that any other UDF simply echoes:
//!
//! | time of the keepalive | meaning | echo |
//! | --- | --- | --- |
//! | `i64::MIN`, before Init | the host requests all ticks of this connection | the same time |
//! | `i64::MIN + 1`, before Init | so it does, and output may only come from calls of the handler | the same time |
//! | `i64::MIN`, after Init | asks for the interval | `i64::MIN` and the interval in nanoseconds; just `i64::MIN` without ticks |
//! | `i64::MIN + 2 + t` | tick; points without a time get `t`, in nanoseconds since the epoch | the same time, after the tick |
//!
//! Output that may only come from calls of the handler, and comes from another thread, is answered
//! with an error, [`REFUSES_THREADS`].
//!
//! All answers come in the order of the requests. `t` is between 1970 and 2262.

use std::time::Duration;

/// The error of a UDF that sends output from another thread although the host has refused it.
pub const REFUSES_THREADS: &str = "this host takes no output of other threads, because such output \
                                   does not follow from the input alone";

/// The keepalive of a tick at time 0.
const ZERO: i64 = i64::MIN + 2;

/// The keepalive of the last tick, and its time. Later keepalives are left to other uses of negative times.
const LATEST: i64 = -(1 << 40);
const LAST: i64 = LATEST.wrapping_sub(ZERO);

/// The longest interval in nanoseconds, 146 years.
const LONGEST: u128 = 1 << 62;

/// A keepalive with a meaning of its own.
///
/// ```
/// use udf_proto::ticks::TickRequest;
///
/// let keepalive = TickRequest::Tick { time: 7 }.to_keepalive();
/// assert_eq!(TickRequest::from_keepalive(keepalive), Some(TickRequest::Tick { time: 7 }));
/// assert_eq!(TickRequest::from_keepalive(7), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TickRequest {
    /// Before Init: the host requests all ticks. After Init: how long is the interval?
    OnRequest {
        /// Whether output may only come from calls of the handler, and not from other threads.
        strict: bool,
    },
    /// Tick.
    Tick {
        /// The time of new points, in nanoseconds since the epoch.
        time: i64,
    },
}

impl TickRequest {
    /// Returns the meaning of a keepalive with this time.
    pub fn from_keepalive(keepalive: i64) -> Option<Self> {
        match keepalive {
            ..ZERO => Some(TickRequest::OnRequest { strict: keepalive > i64::MIN }),
            ZERO..=LATEST => Some(TickRequest::Tick { time: keepalive - ZERO }),
            _ => None,
        }
    }

    /// Returns the time of the keepalive. The time of a tick is kept between 1970 and 2262.
    pub fn to_keepalive(self) -> i64 {
        match self {
            TickRequest::OnRequest { strict } => i64::MIN + i64::from(strict),
            TickRequest::Tick { time } => ZERO + time.clamp(0, LAST),
        }
    }
}

/// Returns the echo that answers the question for the interval. An interval of more than 146 years
/// counts as none.
pub fn interval_to_keepalive(every: Option<Duration>) -> i64 {
    let nanos = every.map_or(0, |every| every.as_nanos());
    if nanos > LONGEST { i64::MIN } else { i64::MIN + nanos as i64 }
}

/// Returns the interval of an echo that answers the question for it. `None` without ticks on
/// request, as for UDFs without ticks and for those of other kits.
pub fn interval_from_keepalive(keepalive: i64) -> Option<Duration> {
    let nanos = keepalive.wrapping_sub(i64::MIN) as u64;
    (nanos > 0).then_some(Duration::from_nanos(nanos))
}

/// Returns whether a keepalive with this time can answer the question for the interval.
pub fn is_interval(keepalive: i64) -> bool {
    u128::from(keepalive.wrapping_sub(i64::MIN) as u64) <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_survives_its_keepalive() {
        let ticks = [0, 1, 1_700_000_000_000_000_000, LAST].map(|time| {
            assert!(TickRequest::Tick { time }.to_keepalive() < -(1 << 33));
            TickRequest::Tick { time }
        });
        let begins = [false, true].map(|strict| TickRequest::OnRequest { strict });
        for request in ticks.into_iter().chain(begins) {
            assert_eq!(TickRequest::from_keepalive(request.to_keepalive()), Some(request));
        }
        for (time, kept) in [(i64::MIN, 0), (-1, 0), (i64::MAX, LAST)] {
            let keepalive = TickRequest::Tick { time }.to_keepalive();
            assert_eq!(
                TickRequest::from_keepalive(keepalive),
                Some(TickRequest::Tick { time: kept })
            );
        }
    }

    #[test]
    fn other_keepalives_have_no_meaning() {
        for time in [0, 1, i64::MAX, 1_700_000_000_000_000_000, -1, -1 - i64::from(u32::MAX)] {
            assert_eq!(TickRequest::from_keepalive(time), None, "{time}");
        }
    }

    #[test]
    fn intervals_survive_their_keepalive() {
        for every in [None, Some(Duration::from_millis(1)), Some(Duration::from_secs(1 << 31))] {
            assert_eq!(interval_from_keepalive(interval_to_keepalive(every)), every);
        }
        assert_eq!(interval_from_keepalive(interval_to_keepalive(Some(Duration::MAX))), None);
    }
}
