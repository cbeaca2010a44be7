//! Options: from the calls of an Init to the typed fields of a UDF.
//!
//! | module | contents |
//! | --- | --- |
//! | `types` | the types of options: [`OptionType`], and its implementations for Rust's own types |
//! | `calls` | how often a task can call an option |
//! | `field` | the types of fields: one call, an `Option`, a `Vec` |
//! | `limits` | limits of values and of lengths |
//! | `data` | one option as a constant |
//! | `known` | one option with its types: checks, samples, its description |
//! | `docs` | doc comments as help |
//! | `parser` | checks the calls of an Init against the constants |
//! | `problem` | the errors of an Init, and their texts |
//! | `faults` | the errors in the options themselves, for tests |
//! | `init` | makes a UDF of the options of an Init |
//! | `refusal` | the text that refuses an Init |
//! | `suggest` | corrections of invalid arguments |

mod calls;
pub(crate) mod data;
pub(crate) mod docs;
#[cfg(feature = "testing")]
pub(crate) mod faults;
mod field;
pub(crate) mod init;
pub(crate) mod known;
mod limits;
pub(crate) mod parser;
mod problem;
mod refusal;
mod suggest;
mod types;

pub use field::OptionField;
pub use init::{Accepted, parse};
pub use parser::OptionParser;
pub use refusal::Refusal;
pub use types::{
    Bytes, FieldName, HasLen, Help, MustBe, OptionType, Percent, Ranged, RangedField, TagName,
    TickValue,
};
pub use udf_macros::OptionType;

#[doc(hidden)]
pub use data::{Literal, Made, OptionData, len, range};
#[doc(hidden)]
pub use field::{Field, flag, option, parsed, parsed_option, parsed_vec};
#[doc(hidden)]
pub use types::{Arguments, Flag, Members, Parse, Parsed, help_of, member, no_choice};
