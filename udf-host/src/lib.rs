//! Kapacitor's own side of the UDF protocol: it drives any UDF, in any language.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`interface`] | one connection with a UDF, as its owner sees it |
//! | [`process`], [`socket`], [`loopback`] | the three ways to reach one |
//! | [`server`] | the core of them all, over any reader and writer |
//! | [`settings`] | timeouts, limits, and callbacks |
//! | [`error`] | what can go wrong |
//! | [`diagnosis`] | what a UDF that fails shows of the reason |
//! | [`replay`] | a file of points, played to a UDF |
//! | `command` | the command line over all this, with the feature of that name, a default |

mod child;
#[cfg(feature = "command")]
pub mod command;
mod connection;
pub mod diagnosis;
pub mod error;
pub mod interface;
pub mod loopback;
pub mod process;
pub mod replay;
pub mod server;
pub mod settings;
pub mod socket;
mod spawn;

pub use error::{Error, RequestKind};
pub use interface::{Info, Init, Interface};
pub use loopback::Loopback;
pub use process::Process;
pub use server::{BatchIn, PointIn, Receiver, Server};
pub use settings::{Callbacks, Log, Settings, Writes};
pub use socket::Socket;
// The channels of a connection carry it.
pub use udf_text::batch::Batch;

// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
