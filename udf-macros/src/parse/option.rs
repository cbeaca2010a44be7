//! A field with `#[option(...)]`.

use proc_macro2::{Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Path, Type};

use super::entries::{Entry, Form, known_once, meant};
use super::types::{Known, calls, known};
use super::{help, value};
use crate::errors::Errors;
use crate::model::{At, Calls, Default, Expr, OptionField, Range};
use crate::words::case::Case;

const KEYS: [&str; 12] = [
    "alias",
    "conflicts",
    "default",
    "deprecated",
    "example",
    "flag",
    "len",
    "name",
    "parse",
    "range",
    "requires",
    "validate",
];

pub(super) fn option(
    field: &syn::Field,
    ident: &Ident,
    entries: Vec<Entry>,
    rename_all: Case,
    errors: &mut Errors,
) -> OptionField {
    let meant = meant(&entries, &KEYS);
    let entries = known_once(entries, &KEYS, &["alias"], errors);
    let (calls, value) = calls(&field.ty);
    let renamed = rename_all.write(&ident.unraw().to_string());
    let mut option = OptionField {
        name: (!meant.contains(&"name"))
            .then(|| At { value: renamed, tokens: ident.to_token_stream() }),
        aliases: Vec::new(),
        help: help(&field.attrs),
        required: calls == Calls::Once && !meant.contains(&"default") && !meant.contains(&"flag"),
        calls,
        value,
        default: None,
        range: None,
        len: None,
        parse: None,
        flag: false,
        validate: None,
        conflicts: Vec::new(),
        requires: Vec::new(),
        deprecated: None,
        example: None,
    };
    // For a type that needs no `parse`, that alone is wrong.
    let parsed = meant.contains(&"parse") && matches!(known(&option.value), Known::Other);
    for entry in &entries {
        match &*entry.key.to_string() {
            "name" => {
                if let Some(name) = entry.text("name = \"size\"", errors) {
                    let tokens = name.to_token_stream();
                    option.name = Some(At { value: name.value(), tokens });
                }
            }
            "alias" => {
                if let Some(name) = entry.text("alias = \"size\"", errors) {
                    option
                        .aliases
                        .push(At { value: name.value(), tokens: name.into_token_stream() });
                }
            }
            "default" => option.default = default(entry, &option.value, parsed, errors),
            "example" => {
                if let Some(tokens) = entry.value("example = 10", errors) {
                    let value = typed(tokens.clone(), &option.value, parsed, "its example", errors);
                    option.example = Some(At { value, tokens });
                }
            }
            "range" => option.range = range(entry, &option.value, errors),
            "len" => {
                let usize = syn::parse_quote!(usize);
                option.len = range(entry, &usize, errors);
            }
            "parse" => {
                entry.bare(errors);
                option.parse = Some(entry.key.clone());
            }
            "flag" => {
                entry.bare(errors);
                option.flag = true;
            }
            "validate" => option.validate = validate(entry, errors),
            "conflicts" => option.conflicts = entry.idents("conflicts(field, field)", errors),
            "requires" => option.requires = entry.idents("requires(field, field)", errors),
            "deprecated" => {
                option.deprecated = entry.text("deprecated = \"use ...\"", errors);
            }
            _ => {}
        }
    }
    option
}

fn default(entry: &Entry, ty: &Type, parsed: bool, errors: &mut Errors) -> Option<At<Default>> {
    if let Form::Bare = entry.form {
        if parsed {
            let message = "with `parse`, its default is text: `default = \"text\"`";
            errors.at(&entry.key, message);
        }
        return Some(At { value: Default::OfType, tokens: entry.key.to_token_stream() });
    }
    let tokens = entry.value("default = 10", errors)?;
    let value = typed(tokens.clone(), ty, parsed, "its default", errors);
    Some(At { value: Default::Is(value), tokens })
}

/// A value of the option's type; that of one which is parsed stays text.
fn typed(written: TokenStream, ty: &Type, parsed: bool, what: &str, errors: &mut Errors) -> Expr {
    if !parsed {
        return expr(written, ty, what, errors);
    }
    if !matches!(value::literal(&written), Some(value::Literal::String(_))) {
        let message = format!("with `parse`, {what} is text, which is parsed as a task's would be");
        errors.at(&written, message);
    }
    Expr { code: written.clone(), written, wrong: false }
}

fn expr(written: TokenStream, ty: &Type, what: &str, errors: &mut Errors) -> Expr {
    let before = errors.count();
    let code = value::lowered(&written, ty, what, errors);
    Expr { code, written, wrong: errors.count() > before }
}

fn validate(entry: &Entry, errors: &mut Errors) -> Option<Path> {
    let tokens = entry.value("validate = path::to::function", errors)?;
    let path = syn::parse2::<Path>(tokens.clone()).ok();
    if path.is_none() {
        let message = "`validate` is the path of a function: `validate = is_even`, for \
                       `fn is_even(value: &T) -> Result<(), String>`";
        errors.at(tokens, message);
    }
    path
}

const RANGE_FORM: &str = "range = 1..=10";

/// A range whose ends are of this type.
fn range(entry: &Entry, ty: &Type, errors: &mut Errors) -> Option<At<Range>> {
    let key = entry.key.to_string();
    let tokens = entry.value(&RANGE_FORM.replace("range", &key), errors)?;
    if key == "range" && !has_range(ty) {
        let message = format!(
            "{} has no range: `range` is for integers, floats and Durations; \
             use `len` for the length of text, `validate = path` for anything else",
            value::show(ty)
        );
        errors.at(&entry.key, message);
        return None;
    }
    let Some((min, max, inclusive)) = split_range(tokens.clone()) else {
        let message = format!("`{key}` is a range: `{key} = 1..`, `{key} = 1..=10`, `{key} = ..5`");
        errors.at(tokens, message);
        return None;
    };
    if min.is_empty() && max.is_empty() {
        errors.at(tokens, format_args!("a range without ends says nothing; remove `{key}`"));
        return None;
    }
    // The ends of NonZero types are plain integers: a range may begin at 0.
    let ty = match known(ty) {
        Known::NonZero(int) => {
            let name = Ident::new(int.name, ty.span());
            syn::parse_quote!(#name)
        }
        Known::Array(element) => element,
        _ => ty.clone(),
    };
    let mut end =
        |end: TokenStream| (!end.is_empty()).then(|| expr(end, &ty, "an end of its range", errors));
    Some(At { value: Range { min: end(min), max: end(max), inclusive }, tokens })
}

fn has_range(ty: &Type) -> bool {
    match known(ty) {
        Known::Bool | Known::String | Known::Char | Known::Path | Known::Tuple(_) => false,
        Known::Array(element) => has_range(&element),
        Known::Int(_) | Known::NonZero(_) | Known::Float | Known::Duration | Known::Other => true,
    }
}

/// What is before and behind `..` or `..=`.
fn split_range(tokens: TokenStream) -> Option<(TokenStream, TokenStream, bool)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let punct = |at: usize, char: char| match tokens.get(at) {
        Some(TokenTree::Punct(punct)) => punct.as_char() == char,
        _ => false,
    };
    let joint = |at: usize| match &tokens[at] {
        TokenTree::Punct(punct) => punct.spacing() == Spacing::Joint,
        _ => false,
    };
    let dots = (0..tokens.len()).find(|&at| punct(at, '.') && joint(at) && punct(at + 1, '.'))?;
    let inclusive = joint(dots + 1) && punct(dots + 2, '=');
    let behind = dots + if inclusive { 3 } else { 2 };
    let of = |tokens: &[TokenTree]| tokens.iter().cloned().collect::<TokenStream>();
    if inclusive && behind == tokens.len() {
        return None;
    }
    Some((of(&tokens[..dots]), of(&tokens[behind..]), inclusive))
}
