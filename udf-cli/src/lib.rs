//! The command `udf`: describes a UDF, plays points to it, checks its use of the protocol, and
//! measures its speed. The UDF may be written in any language. `udf` connects to it as Kapacitor
//! does. `udf new` begins a UDF in Rust.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`front`] | the command line |
//! | [`target`] | connects to a UDF |
//! | [`sample`] | points and batches as Kapacitor sends them |
//! | [`check`] | the conformance report |
//! | [`bench`](mod@bench) | the measurements |
//! | [`create`] | a new crate with a UDF |

pub mod bench;
pub mod check;
mod children;
pub mod create;
pub mod front;
pub mod sample;
pub mod target;

use std::time::{Duration, Instant};

pub use target::{Connection, Peer, Target, Transport};

/// Returns the instant after `within`, or after a century if the clock cannot represent that
/// instant.
fn deadline(within: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(within).unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400))
}
