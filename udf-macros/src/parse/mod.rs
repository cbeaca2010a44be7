//! From tokens to the model. Every mistake is noted, and none ends the parsing.

mod argument;
pub(crate) mod entries;
mod member;
mod option;
mod option_type;
mod refused;
mod typed;
mod types;
mod udf;
mod value;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Path};

use crate::errors::Errors;
use entries::Entry;

pub(crate) use argument::is_unsized;
pub(crate) use entries::split_at_commas;
pub(crate) use option_type::option_type;
pub(crate) use typed::{fields, from_point};
pub(crate) use types::{Known, calls, known};
pub(crate) use udf::udf;
pub(crate) use value::{Literal, as_arguments, is_constant, literal, show, source};

/// The crate of the runtime: what `crate = path` says, or its own name.
pub(crate) fn krate(entries: &[Entry], errors: &mut Errors) -> TokenStream {
    let Some(entry) = entries.iter().find(|entry| entry.key == "crate") else {
        return quote!(::udf_runtime);
    };
    let tokens = entry.value("crate = ::renamed", errors).unwrap_or_default();
    match syn::parse2::<Path>(tokens.clone()) {
        Ok(path) => quote!(#path),
        Err(_) => {
            if !tokens.is_empty() {
                errors.at(tokens, "`crate` is the path of the runtime: `crate = ::renamed`");
            }
            quote!(::udf_runtime)
        }
    }
}

/// The text of the doc comments: its paragraphs and the items of its lists, each on a line.
pub(crate) fn help(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let mut paragraphs = vec![String::new()];
    for line in lines.flat_map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>()) {
        let line = line.trim();
        let last = paragraphs.last_mut().expect("there is one from the start");
        if line.is_empty() {
            paragraphs.push(String::new());
        } else if begins_item(line) {
            paragraphs.push(line.to_owned());
        } else if last.is_empty() {
            last.push_str(line);
        } else {
            last.push(' ');
            last.push_str(line);
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}

/// Whether a line of a doc comment is an item of a list: `- one`, `* one`, `1. one`.
fn begins_item(line: &str) -> bool {
    let Some((mark, _)) = line.split_once(' ') else { return false };
    let number = mark.strip_suffix(['.', ')']).is_some_and(|number| number.parse::<u8>().is_ok());
    number || matches!(mark, "-" | "*" | "+")
}
