//! From tokens to the model. No error ends the parsing.

mod argument;
pub(crate) mod entries;
mod option;
mod option_type;
pub(crate) mod tables;
mod typed;
mod types;
mod udf;
mod value;

use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

use crate::errors::Errors;
use crate::model::{Doc, Runtime};
use entries::Entries;

pub(crate) use argument::argument;
pub(crate) use entries::entries;
pub(crate) use option_type::option_type;
pub(crate) use typed::{fields, from_point};
pub(crate) use types::{Known, known};
pub(crate) use udf::{A_STRUCT, udf};
pub(crate) use value::{Literal, elements, is_constant, literal, plain, show, source};

/// Returns the path of the runtime: that of `crate = path`. Defaults to `::udf_runtime`.
pub(crate) fn runtime(entries: &Entries, errors: &mut Errors) -> Runtime {
    let path = entries.get("crate").and_then(|entry| entry.value(errors));
    match path.map(|path| (path, value::plain(path))) {
        None => Runtime(quote!(::udf_runtime)),
        Some((_, Expr::Path(path))) if path.qself.is_none() => Runtime(path.to_token_stream()),
        Some((path, _)) => {
            errors.at(path, "expected the path of the runtime: `crate = ::renamed`");
            Runtime(quote!(::udf_runtime))
        }
    }
}

/// Returns the texts of the doc comments. The runtime joins the lines of paragraphs.
pub(crate) fn docs(attrs: &[Attribute]) -> Doc {
    let texts = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => Some(undecorated(&meta.value)),
        _ => None,
    });
    texts.collect()
}

/// Returns a block comment without the leading `*` of its lines.
fn undecorated(text: &Expr) -> Expr {
    let Expr::Lit(ExprLit { lit: Lit::Str(lit), .. }) = text else { return text.clone() };
    let value = lit.value();
    let stripped = value.lines().skip(1).filter(|line| !line.trim().is_empty());
    if !value.contains('\n') || !stripped.clone().all(|line| line.trim_start().starts_with('*')) {
        return text.clone();
    }
    let lines = value.lines().enumerate().map(|(number, line)| match number {
        0 => line,
        _ => line.trim_start().trim_start_matches('*'),
    });
    let lit = LitStr::new(&lines.collect::<Vec<_>>().join("\n"), lit.span());
    syn::parse_quote!(#lit)
}
