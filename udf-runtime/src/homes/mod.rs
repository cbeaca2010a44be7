//! The homes of a UDF: a program with a command line, or stdin and stdout alone.

#[cfg(feature = "main")]
mod args;
#[cfg(feature = "main")]
mod flags;
#[cfg(feature = "main")]
pub(crate) mod front;
#[cfg(feature = "main")]
mod hangups;
#[cfg(feature = "main")]
mod logs;
#[cfg(any(feature = "main", feature = "testing"))]
pub(crate) mod loopback;
#[cfg(feature = "main")]
mod metrics;
#[cfg(feature = "main")]
pub(crate) mod nats;
#[cfg(feature = "main")]
mod open_files;
#[cfg(feature = "main")]
mod own_args;
#[cfg(feature = "main")]
pub(crate) mod program;
#[cfg(feature = "main")]
mod serve;
#[cfg(feature = "main")]
pub(crate) mod several;
#[cfg(feature = "main")]
mod signals;
pub(crate) mod stdio;
#[cfg(feature = "main")]
pub(crate) mod supervision;
#[cfg(feature = "main")]
mod systemd;
#[cfg(feature = "main")]
pub(crate) mod telegraf;
