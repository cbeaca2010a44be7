//! A field with `#[option(...)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, RangeLimits, Type};

use super::docs;
use super::entries::{Entries, Entry};
use super::types::{Known, calls, known};
use super::value::{self, Literal, Lower, plain};
use crate::errors::Errors;
use crate::model::{At, Calls, Default, OptionField, Range, UdfArgs, Value};

/// The keys of options with arguments.
const OF_ARGUMENTS: [&str; 8] =
    ["default", "env", "example", "len", "parse", "range", "secret", "validate"];

pub(super) fn option(
    field: &syn::Field,
    ident: &Ident,
    entries: &Entries,
    args: &UdfArgs,
    errors: &mut Errors,
) -> OptionField {
    let (calls, value) = calls(&field.ty);
    let has = |key| entries.may_have(key);
    // Another type may be an alias of an `Option`.
    let is_known = has("parse") || !matches!(known(&value), Known::Other);
    let renamed = args.rename_all.write(&ident.unraw().to_string());
    let mut option = OptionField {
        name: (!has("name")).then(|| At { value: renamed, tokens: ident.to_token_stream() }),
        aliases: Vec::new(),
        help: docs(&field.attrs),
        required: calls == Calls::Once && is_known && !has("default") && !has("flag"),
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
        env: None,
        secret: None,
    };
    // For a known type, `parse` is the only error.
    let parsed = has("parse") && matches!(known(&option.value), Known::Other);
    let parser = Values { ty: option.value.clone(), parsed, krate: &args.krate };
    for entry in entries.iter() {
        let text = |errors: &mut Errors| {
            let text = entry.text(errors)?;
            Some(At { value: text.value(), tokens: text.to_token_stream() })
        };
        let key = entry.key.to_string();
        if entries.get("flag").is_some() && OF_ARGUMENTS.contains(&&*key) {
            let message = format!("a flag has no argument and is false by default: no `{key}`");
            errors.at(&entry.key, message);
            continue;
        }
        match &*key {
            "name" => option.name = text(errors),
            "alias" => option.aliases.extend(text(errors)),
            "default" => option.default = parser.default(entry, calls, errors),
            "example" => option.example = parser.example(entry, errors),
            "range" if !has_range(&option.value) => {
                let message = format!(
                    "{} has no range: `range` is for integers, floats and Durations; \
                     use `len` for the length of text, `validate = path` for anything else",
                    value::show(&option.value)
                );
                errors.at(&entry.key, message);
            }
            "range" => option.range = parser.range(entry, &option.value, errors),
            "len" if !has_len(&option) && !has("parse") => {
                let message = format!(
                    "`len` is for String (its characters) and Vec (how often it is called), not {}",
                    value::show(&field.ty)
                );
                errors.at(&entry.key, message);
            }
            "len" => option.len = parser.range(entry, &syn::parse_quote!(usize), errors),
            "parse" => {
                entry.bare(errors);
                option.parse = Some(entry.key.clone());
            }
            "flag" => {
                entry.bare(errors);
                option.flag = true;
            }
            "secret" => {
                entry.bare(errors);
                option.secret = Some(entry.key.clone());
            }
            "env" => {
                option.env = entry.text(errors).cloned();
                if option.env.as_ref().is_some_and(|name| name.value().is_empty()) {
                    errors.at(&option.env, "the name of an environment variable cannot be empty");
                } else if calls == Calls::Any {
                    let message =
                        "an environment variable stands for one call: a `Vec` has no `env`";
                    errors.at(&option.env, message);
                }
            }
            "validate" => option.validate = validate(entry, errors),
            "conflicts" => option.conflicts = entry.idents(errors),
            "requires" => option.requires = entry.idents(errors),
            "deprecated" => {
                option.deprecated = entry.text(errors).cloned();
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

/// Parses the values of one option.
struct Values<'a> {
    ty: Type,
    parsed: bool,
    krate: &'a TokenStream,
}

impl Values<'_> {
    fn default(&self, entry: &Entry, calls: Calls, errors: &mut Errors) -> Option<Default> {
        if entry.is_bare() {
            if self.parsed {
                let message = "with `parse`, its default is text: `default = \"text\"`";
                errors.at(&entry.key, message);
            }
            return Some(Default::OfType(entry.key.clone()));
        }
        let written = entry.value(errors)?;
        if calls == Calls::AtMostOnce && written.to_token_stream().to_string() == "None" {
            errors.at(written, "remove `default`: an `Option` is `None` already");
            return None;
        }
        Some(Default::Is(self.typed(written, "its default", errors)))
    }

    fn example(&self, entry: &Entry, errors: &mut Errors) -> Option<Value> {
        let written = entry.value(errors)?;
        if !self.parsed && !value::is_constant(written) {
            let constant = match known(&self.ty) {
                Known::Other => "literals or a constant",
                known => known.example(),
            };
            let message = format!("an example is shown without running any code: write {constant}");
            errors.at(written, message);
        }
        Some(self.typed(written, value::EXAMPLE, errors))
    }

    /// Returns a value of the option's type. The value of a parsed option stays text.
    fn typed(&self, written: &Expr, what: &str, errors: &mut Errors) -> Value {
        if !self.parsed {
            return self.lowered(written, &self.ty, what, errors);
        }
        if !matches!(value::literal(written), Some(Literal::String(_))) {
            let message =
                format!("with `parse`, {what} is text, which is parsed as a task's would be");
            errors.at(written, message);
        }
        Value { code: written.to_token_stream(), written: written.clone() }
    }

    fn lowered(&self, written: &Expr, ty: &Type, what: &str, errors: &mut Errors) -> Value {
        let code = Lower { what, krate: self.krate }.value(written, ty, errors);
        Value { code, written: written.clone() }
    }

    /// Returns a range whose ends are of this type.
    fn range(&self, entry: &Entry, ty: &Type, errors: &mut Errors) -> Option<Range> {
        let key = &entry.key;
        let written = entry.value(errors)?;
        let Expr::Range(range) = plain(written) else {
            if let Expr::Path(_) = plain(written) {
                let code = written.to_token_stream();
                let written = written.clone();
                return Some(Range { min: None, max: None, inclusive: false, code, written });
            }
            let (from, to) = match known(ty) {
                Known::Duration => ("\"1s\"", "\"1h\""),
                _ => ("1", "10"),
            };
            let message = format!(
                "`{key}` is a range: `{key} = {from}..`, `{key} = {from}..={to}`, `{key} = ..{to}`"
            );
            errors.at(written, message);
            return None;
        };
        if range.start.is_none() && range.end.is_none() {
            let message = format!("a range without ends says nothing; remove `{key}`");
            errors.at(written, message);
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
        let mut end =
            |end: &Option<Box<Expr>>| end.as_ref().map(|end| self.lowered(end, &ty, &what, errors));
        let (min, max) = (end(&range.start), end(&range.end));
        let limits = &range.limits;
        let (first, last) = (min.as_ref().map(|min| &min.code), max.as_ref().map(|max| &max.code));
        let code = quote!(#first #limits #last);
        let inclusive = matches!(limits, RangeLimits::Closed(_));
        Some(Range { min, max, inclusive, code, written: written.clone() })
    }
}

fn validate(entry: &Entry, errors: &mut Errors) -> Option<Expr> {
    let path = entry.value(errors)?;
    if !matches!(plain(path), Expr::Path(_)) {
        let message = "`validate` is the path of a function: `validate = is_even`, for \
                       `fn is_even(value: &T) -> Result<(), String>`";
        errors.at(path, message);
        return None;
    }
    Some(path.clone())
}

fn has_range(ty: &Type) -> bool {
    match known(ty) {
        Known::Bool | Known::String | Known::Char | Known::Path | Known::Name | Known::Tuple(_) => {
            false
        }
        Known::Array(element) => has_range(&element),
        Known::Int(_) | Known::NonZero(_) | Known::Float | Known::Duration | Known::Other => true,
    }
}

fn has_len(option: &OptionField) -> bool {
    option.calls == Calls::Any || matches!(known(&option.value), Known::String | Known::Other)
}
