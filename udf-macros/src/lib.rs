//! The macros of `kapacitor-udf-runtime`, which exports them.
//!
//! | module | contents |
//! | --- | --- |
//! | `attribute` | `#[udf]` itself, which adds the derive |
//! | `borrowed` | types that borrow |
//! | `parse` | from tokens to the model; no error ends the parsing |
//! | `model` | the author's attributes and types, with their tokens |
//! | `check` | rules across attributes and fields |
//! | `expand` | from the model to code, or to a stub if there are errors; it cannot fail |
//! | `words` | names, suggestions and durations |

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

/// Implements the traits of a UDF. `#[udf]` adds it; authors do not write it.
#[doc(hidden)]
#[proc_macro_derive(__Udf, attributes(__udf, option, shared, state))]
pub fn derive_udf(item: TokenStream) -> TokenStream {
    expand::derive_udf(item.into()).into()
}

/// Makes an enum or a struct a type for options.
///
/// An enum is a STRING out of a fixed set: its variants in camelCase. The doc comments of the
/// variants are the help. `#[option(rename_all = "kebab-case")]` on the enum sets another case, and
/// `#[option(ignore_case)]` makes upper and lower case equal. `#[option(name = "...")]` and
/// `#[option(alias = "...")]` on a variant set its names.
///
/// Each member of a struct is an argument. `info`, samples and refusals show the names of the
/// members.
#[proc_macro_derive(OptionType, attributes(option))]
pub fn derive_option_type(item: TokenStream) -> TokenStream {
    expand::derive_option_type(item.into()).into()
}

/// Reads a point into a struct. Every member is a `#[field]`, a `#[tag]`, the `#[time]`, the
/// `#[group]` or the `#[point]` itself.
#[proc_macro_derive(FromPoint, attributes(field, tag, time, group, point))]
pub fn derive_from_point(item: TokenStream) -> TokenStream {
    expand::derive_from_point(item.into()).into()
}

/// Makes the members of a struct the fields of a point. `#[field(name = "...")]` sets the name of a
/// field, `#[field(skip)]` omits a member.
#[proc_macro_derive(Fields, attributes(field, fields))]
pub fn derive_fields(item: TokenStream) -> TokenStream {
    expand::derive_fields(item.into()).into()
}
