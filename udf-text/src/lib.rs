//! Converts between text and the values of the UDF protocol.
//!
//! The crate starts no threads or processes and parses no command line.
//!
//! | module | text |
//! | --- | --- |
//! | [`describe`] | descriptions of a UDF: for people, as JSON, kapacitor.conf and TICKscript |
//! | [`options`] | options as users type them, `name=value` |
//! | [`duration`] | durations, such as `1h30m` |
//! | [`suggest`] | the name that a user may have meant |
//! | [`message`] | errors, panics and output of others, on one line |
//! | [`line_protocol`] | points as line protocol, read and written |
//! | [`rfc3339`] | times as JSON has them |
//! | [`batch`], [`windows`] | points gathered into batches |

pub mod batch;
pub mod describe;
pub mod duration;
pub mod line_protocol;
pub mod message;
pub mod options;
pub mod rfc3339;
pub mod suggest;
pub mod windows;

// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
