//! The macros of `kapacitor-udf-runtime`; authors use them from there.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `attribute` | what `#[udf]` itself does, before its derive |
//! | `borrowed` | types that borrow, and the types that own the same |
//! | `parse` | from tokens to the model; every error is noted, and none ends the parsing |
//! | `model` | what an author wrote, with the places where it was written |
//! | `check` | rules across attributes and fields |
//! | `expand` | from the model to code, or to stubs when something is wrong; it cannot fail |
//! | `words` | names, suggestions, durations: what errors are worded with |

mod attribute;
mod borrowed;
mod check;
mod errors;
mod expand;
mod model;
mod parse;
#[cfg(test)]
mod snapshots;
mod words;

use proc_macro::TokenStream;

/// Makes a UDF of a struct.
#[proc_macro_attribute]
pub fn udf(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::udf(args.into(), item.into()).into()
}

/// What `#[udf]` adds to its struct. It is not written by hand.
#[doc(hidden)]
#[proc_macro_derive(__Udf, attributes(__udf, option, state))]
pub fn derive_udf(item: TokenStream) -> TokenStream {
    expand::derive_udf(item.into()).into()
}

/// Makes a type for options of an enum or a tuple struct.
///
/// An enum is a STRING out of a fixed set: its variants in camelCase, with their doc comments as help.
/// `#[option(rename_all = "kebab-case")]` on the enum writes them otherwise, `#[option(name = "...")]` and
/// `#[option(alias = "...")]` on a variant name one. A tuple struct is what its members are, each an argument.
#[proc_macro_derive(OptionType, attributes(option))]
pub fn derive_option_type(item: TokenStream) -> TokenStream {
    expand::derive_option_type(item.into()).into()
}

/// Makes a struct of what a point carries: every member is a `#[field]`, a `#[tag]`, the `#[time]`, the
/// `#[group]` or the `#[point]` itself.
#[proc_macro_derive(FromPoint, attributes(field, tag, time, group, point))]
pub fn derive_from_point(item: TokenStream) -> TokenStream {
    expand::derive_from_point(item.into()).into()
}

/// Makes the members of a struct the fields of a point. `#[field(name = "...")]` names one otherwise than its
/// member, `#[field(skip)]` leaves one out.
#[proc_macro_derive(Fields, attributes(field, fields))]
pub fn derive_fields(item: TokenStream) -> TokenStream {
    expand::derive_fields(item.into()).into()
}
