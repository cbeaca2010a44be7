//! Kapacitor's side of the UDF protocol. Drives any UDF, in any language.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`interface`] | the operations on one connection with a UDF |
//! | [`process`], [`socket`], [`loopback`] | the three kinds of connection |
//! | [`session`] | the core of all three, over any reader and writer |
//! | [`settings`] | timeouts, limits, and callbacks |
//! | [`error`] | every way in which a connection can fail |
//! | [`diagnosis`] | finds the cause of a failure in the UDF's output and stderr |
//! | [`replay`] | plays a file of points to a UDF |
//! | [`telegraf`] | serves Telegraf with a UDF |
//! | [`state_file`] | keeps the state of a UDF between two runs |
//! | [`large_pipes`] | larger pipes, for connections with much data |
//! | [`whole_file`] | files that are replaced as a whole: after a crash, the old one or the new one |
//! | `command` | the subcommands `info` and `replay`, with the default feature `command` |

mod child;
#[cfg(feature = "command")]
pub mod command;
mod connection;
pub mod diagnosis;
pub mod error;
pub mod interface;
pub mod large_pipes;
pub mod loopback;
pub mod process;
pub mod replay;
pub mod session;
pub mod settings;
pub mod socket;
mod spawn;
pub mod state_file;
pub mod telegraf;
pub mod whole_file;

pub use error::{Error, RequestKind};
pub use interface::{Info, Init, Interface};
pub use loopback::Loopback;
pub use process::Process;
pub use session::{BatchIn, PointIn, Receiver, Session, Sink};
pub use settings::{Callbacks, Log, Settings, Writes};
pub use socket::Socket;
// Part of the public API: the batch channels of a connection carry this type.
pub use udf_text::batch::WholeBatch;

// Compiles the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
