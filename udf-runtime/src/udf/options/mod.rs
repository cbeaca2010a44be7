//! Options: from the calls of an Init to the typed fields of a UDF.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `types` | what an option can be: [`OptionType`], and the types that Rust has |
//! | `calls` | how often it can be called |
//! | `field` | how a field is made of the calls: of one, `Option`, `Vec` |
//! | `limits` | limits of values and of lengths |
//! | `data` | one option, as `#[option(...)]` describes it in a constant |
//! | `docs` | doc comments as help |
//! | `parser` | the calls of an Init against all of them |
//! | `problem` | what can be wrong, and in which words |
//! | `init` | a UDF from the options of an Init |
//! | `refusal` | the text that refuses an Init |
//! | `suggest` | what came, put right |

mod calls;
pub(crate) mod data;
pub(crate) mod docs;
mod field;
pub(crate) mod init;
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
    FieldName, HasLen, Help, MustBe, OptionType, Ranged, RangedField, TagName, TickValue,
};
pub use udf_macros::OptionType;

#[doc(hidden)]
pub use data::{Literal, OptionData, len, range};
#[doc(hidden)]
pub use field::{Field, flag, option, parsed, parsed_option, parsed_vec};
#[doc(hidden)]
pub use types::{Flag, Parse, Parsed, no_choice};
