//! Descriptions of a UDF, for people and for tools.
//!
//! | form | for |
//! | --- | --- |
//! | [`Description::to_text`] | a person at a terminal |
//! | [`Description::to_json`] | tools |
//! | [`Description::to_toml`] | kapacitor.conf |
//! | [`Description::to_tick`] | a TICKscript to start from |
//! | [`Description::to_telegraf`] | telegraf.conf |
//! | [`list_to_text`], [`list_to_json`] | the UDFs of a program, with a line for each |
//!
//! ```
//! use std::collections::BTreeMap;
//! use udf_text::describe::Description;
//! use udf_proto::{EdgeType, Info, ValueType};
//!
//! let info = Info {
//!     wants: EdgeType::Stream,
//!     provides: EdgeType::Stream,
//!     options: BTreeMap::from([("size".to_owned(), vec![ValueType::Int])]),
//! };
//! let description = Description::from_info("moving_avg", &info);
//! assert!(description.to_text(80).contains(".size(INT)"));
//! ```

mod call;
mod description;
mod json;
mod list;
mod telegraf;
mod text;
mod tick;
mod toml;
mod words;
mod wrap;

pub use call::{command_line, node_call};
pub use description::{Choice, Description, OptionHelp};
pub use list::{list_to_json, list_to_text};
pub use toml::Install;
pub use words::{call_form, typed};
