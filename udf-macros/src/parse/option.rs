//! A field with `#[option(...)]`.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Type, TypePath};

use super::entries::{Entry, Form, known_once_or, meant};
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

/// What is written here for a key that other libraries have.
fn habit(key: &str) -> Option<&'static str> {
    Some(match key {
        "required" => {
            "every option is, unless it is an `Option`, a `Vec`, a flag, or has a `default`"
        }
        "optional" => "write its type as `Option<T>`, or give it a `default`",
        "help" | "doc" | "about" | "description" => "its help is its doc comment, `/// ...`",
        "min" | "max" => "write `range = 1..=10`",
        "rename" => "write `name = \"...\"`",
        "choices" | "values" | "possible_values" => {
            "write an enum with `#[derive(udf_runtime::options::OptionType)]`"
        }
        "multiple" | "repeated" => "write its type as `Vec<T>`",
        "skip" => "without `#[option]`, a field is working memory",
        _ => return None,
    })
}

pub(super) fn option(
    field: &syn::Field,
    ident: &Ident,
    entries: Vec<Entry>,
    rename_all: Case,
    errors: &mut Errors,
) -> OptionField {
    let meant = meant(&entries, &KEYS);
    let entries = known_once_or(entries, &KEYS, &["alias"], habit, errors);
    let (calls, value) = calls(&field.ty);
    // What another type is may be an `Option` by another name.
    let is_known = meant.contains(&"parse") || !matches!(known(&value), Known::Other);
    let renamed = rename_all.write(&ident.unraw().to_string());
    let mut option = OptionField {
        name: (!meant.contains(&"name"))
            .then(|| At { value: renamed, tokens: ident.to_token_stream() }),
        aliases: Vec::new(),
        help: help(&field.attrs),
        required: calls == Calls::Once
            && is_known
            && !["default", "flag"].iter().any(|key| meant.contains(key)),
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
                    let is_whole = value::malformed(&tokens).is_none();
                    if !parsed && is_whole && !value::is_constant(&tokens) {
                        let message = format!(
                            "an example is shown without running any code: write {}",
                            constant(&option.value)
                        );
                        errors.at(&tokens, message);
                    }
                    let value =
                        typed(tokens.clone(), &option.value, parsed, value::EXAMPLE, errors);
                    option.example = Some(At { value, tokens });
                }
            }
            "range" if !has_range(&option.value) => {
                let message = format!(
                    "{} has no range: `range` is for integers, floats and Durations; \
                     use `len` for the length of text, `validate = path` for anything else",
                    value::show(&option.value)
                );
                errors.at(&entry.key, message);
            }
            "range" => option.range = range(entry, &option.value, errors),
            // What a flag has of these is told with all that it must not have.
            "len" if !has_len(&option) && !meant.contains(&"parse") && !meant.contains(&"flag") => {
                let message = format!(
                    "`len` is for String (its characters) and Vec (how often it is called), not {}",
                    value::show(&field.ty)
                );
                errors.at(&entry.key, message);
            }
            "len" => option.len = range(entry, &syn::parse_quote!(usize), errors),
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
                if let Some(empty) = option.deprecated.take_if(|advice| advice.value().is_empty()) {
                    let message =
                        "say what is to be called instead: `deprecated = \"use `.other`\"`";
                    errors.at(empty, message);
                }
            }
            _ => {}
        }
    }
    option
}

/// What an example of this type is, in words.
fn constant(ty: &Type) -> &'static str {
    match known(ty) {
        Known::Other => "literals or a constant",
        known => known.example(),
    }
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
    let code = match value::malformed(&written) {
        Some((token, why)) => {
            errors.at(token, why);
            written.clone()
        }
        None => value::lowered(&written, ty, what, errors),
    };
    Expr { code, written, wrong: errors.count() > before }
}

fn validate(entry: &Entry, errors: &mut Errors) -> Option<TypePath> {
    let tokens = entry.value("validate = path::to::function", errors)?;
    let path = syn::parse2::<TypePath>(tokens.clone()).ok();
    if path.is_none() {
        let message = "`validate` is the path of a function: `validate = is_even`, for \
                       `fn is_even(value: &T) -> Result<(), String>`";
        errors.at(tokens, message);
    }
    path
}

/// A range whose ends are of this type.
fn range(entry: &Entry, ty: &Type, errors: &mut Errors) -> Option<At<Range>> {
    let key = entry.key.to_string();
    let (from, to) = match known(ty) {
        Known::Duration => ("\"1s\"", "\"1h\""),
        _ => ("1", "10"),
    };
    let tokens = entry.value(&format!("{key} = {from}..={to}"), errors)?;
    let Some((min, max, inclusive)) = split_range(tokens.clone()) else {
        let message = format!(
            "`{key}` is a range: `{key} = {from}..`, `{key} = {from}..={to}`, `{key} = ..{to}`"
        );
        errors.at(tokens, message);
        return None;
    };
    if min.is_empty() && max.is_empty() {
        errors.at(tokens, format_args!("a range without ends says nothing; remove `{key}`"));
        return None;
    }
    // The ends of NonZero types are plain integers: a range may begin at 0.
    let element = match known(ty) {
        Known::Array(element) => element,
        _ => ty.clone(),
    };
    let ty = match known(&element) {
        Known::NonZero(int) => {
            let name = Ident::new(int.name, element.span());
            syn::parse_quote!(#name)
        }
        _ => element,
    };
    let what = format!("an end of its `{key}`");
    let mut end = |end: TokenStream| (!end.is_empty()).then(|| expr(end, &ty, &what, errors));
    Some(At { value: Range { min: end(min), max: end(max), inclusive }, tokens })
}

fn has_range(ty: &Type) -> bool {
    match known(ty) {
        Known::Bool | Known::String | Known::Char | Known::Path | Known::Tuple(_) => false,
        Known::Array(element) => has_range(&element),
        Known::Int(_) | Known::NonZero(_) | Known::Float | Known::Duration | Known::Other => true,
    }
}

fn has_len(option: &OptionField) -> bool {
    option.calls == Calls::Any || matches!(known(&option.value), Known::String | Known::Other)
}

/// What is before and behind `..` or `..=`.
fn split_range(tokens: TokenStream) -> Option<(TokenStream, TokenStream, bool)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    if let [TokenTree::Group(group)] = &tokens[..]
        && matches!(group.delimiter(), Delimiter::None | Delimiter::Parenthesis)
    {
        // In brackets, or out of a `macro_rules!`.
        return split_range(group.stream());
    }
    let punct = |at: usize, char: char| match tokens.get(at) {
        Some(TokenTree::Punct(punct)) => punct.as_char() == char,
        _ => false,
    };
    let joint = |at: usize| match &tokens[at] {
        TokenTree::Punct(punct) => punct.spacing() == Spacing::Joint,
        _ => false,
    };
    let is_dots = |at: &usize| punct(*at, '.') && joint(*at) && punct(at + 1, '.');
    let dots = (0..tokens.len()).find(is_dots)?;
    let inclusive = joint(dots + 1) && punct(dots + 2, '=');
    let behind = dots + if inclusive { 3 } else { 2 };
    let of = |tokens: &[TokenTree]| tokens.iter().cloned().collect::<TokenStream>();
    // `...`, `1..5..2` and `1..=` are none.
    if punct(behind, '.')
        || (behind..tokens.len()).any(|at| is_dots(&at))
        || inclusive && behind == tokens.len()
    {
        return None;
    }
    Some((of(&tokens[..dots]), of(&tokens[behind..]), inclusive))
}
