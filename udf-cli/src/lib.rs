//! The command `udf`: what a UDF is, what it makes of points, whether it keeps to the protocol, how fast it is.
//! The UDF may be written in any language: it is spoken with as Kapacitor does.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`front`] | the command line |
//! | [`target`] | how a UDF is reached |
//! | [`sample`] | points and batches as Kapacitor sends them |
//! | [`check`] | the conformance report |
//! | [`bench`](mod@bench) | the measurements |

pub mod bench;
pub mod check;
pub mod front;
pub mod sample;
pub mod target;

use std::time::{Duration, Instant};

pub use target::{Link, Peer, Target, Transport};

/// When `within` is over; in a century, if no clock reaches that.
fn deadline(within: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(within).unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400))
}
