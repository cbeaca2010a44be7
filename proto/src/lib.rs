//! The Kapacitor UDF protocol: its messages, its framing, and points as they lie on the wire.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`messages`] | the protobuf messages, generated from `udf.proto` and checked in |
//! | [`info`] | what a UDF says of itself, in terms of Rust |
//! | [`init`] | the options of a task, in terms of Rust |
//! | [`frame`] | lengths and bodies over any reader and writer |
//! | [`point`] | a borrowed view of a point, its owned forms, and editing |
//! | [`request`] | what a received frame asks for, with its point left where it lies |
//! | [`response`] | how answers and data become frames |
//! | [`entries`] | how many entries a message may have |

pub mod entries;
pub mod frame;
pub mod info;
pub mod init;
/// The messages of `udf.proto`, as prost-build makes them.
#[rustfmt::skip]
pub mod messages;
pub mod point;
pub mod request;
pub mod response;
mod wire;

pub use info::Info;
pub use init::{Init, OptionCall, Value};
pub use messages::{BeginBatch, EdgeType, EndBatch, ValueType};
pub use point::{Point, PointBuf, Points};

// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
