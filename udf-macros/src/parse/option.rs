//! A field with `#[option(...)]`.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, LitStr, RangeLimits, Type, parse_quote, parse_quote_spanned};

use super::docs;
use super::entries::{Entries, Entry};
use super::types::{Known, calls, known};
use super::value::{self, Literal, plain};
use crate::errors::Errors;
use crate::model::{At, Calls, Default, OptionField, Range, UdfArgs, Value};

/// The keys of options with arguments.
const OF_ARGUMENTS: [&str; 10] = [
    "above", "default", "env", "example", "len", "must_be", "parse", "range", "secret", "validate",
];

pub(super) fn option(
    field: &syn::Field,
    ident: &Ident,
    entries: &Entries,
    args: &UdfArgs,
    errors: &mut Errors,
) -> OptionField {
    let (calls, ty) = calls(&field.ty);
    let has = |key| entries.may_have(key);
    let is_known = !matches!(known(&ty), Known::Other);
    let flag = entries.bare("flag", errors).is_some();
    for entry in entries.iter().filter(|entry| flag && OF_ARGUMENTS.iter().any(|k| entry.key == k))
    {
        let message = format!("a flag has no argument and cannot have `{}`", entry.key);
        errors.at(&entry.key, message);
    }
    let get = |key: &str| entries.get(key).filter(|_| !flag || !OF_ARGUMENTS.contains(&key));
    let renamed = args.rename_all.write(&ident.unraw().to_string());
    let values = Values { calls, ty: &ty, is_parsed: has("parse") && !known(&ty).is_of_rust() };
    OptionField {
        name: match entries.get("name") {
            Some(entry) => entry.name(errors),
            None => Some(At { value: renamed, tokens: ident.to_token_stream() }),
        },
        aliases: entries.all("alias").filter_map(|entry| entry.name(errors)).collect(),
        help: docs(&field.attrs),
        // A type that is not known may be an alias of an `Option`.
        required: calls == Calls::Once
            && (is_known || has("parse"))
            && !has("default")
            && !has("flag"),
        calls,
        default: get("default").and_then(|entry| values.default(entry, errors)),
        example: get("example").and_then(|entry| values.example(entry, errors)),
        range: values.range(get("range"), get("above"), errors),
        len: get("len").and_then(|entry| values.len(entry, &field.ty, errors)),
        parse: entries.bare("parse", errors),
        flag,
        validate: get("validate").and_then(|entry| validate(entry, errors)),
        must_be: get("must_be").and_then(|entry| {
            non_empty(entry, "the words must not be empty: `must_be = \"an even number\"`", errors)
        }),
        hidden: entries.bare("hidden", errors),
        conflicts: entries.get("conflicts").map_or(Vec::new(), |entry| entry.idents(errors)),
        requires: entries.get("requires").map_or(Vec::new(), |entry| entry.idents(errors)),
        deprecated: entries.get("deprecated").and_then(|entry| {
            non_empty(
                entry,
                "the advice must not be empty: `deprecated = \"use `.other`\"`",
                errors,
            )
        }),
        env: get("env").and_then(|entry| {
            if calls == Calls::Any {
                errors.at(&entry.key, "a `Vec` cannot have `env`: a variable holds a single call");
            }
            non_empty(entry, "the name of an environment variable must not be empty", errors)
        }),
        secret: entries.bare("secret", errors),
        value: ty,
    }
}

fn non_empty(entry: &Entry, message: &str, errors: &mut Errors) -> Option<LitStr> {
    let text = entry.text(errors)?;
    if text.value().is_empty() {
        errors.at(text, message);
    }
    Some(text.clone())
}

/// Parses the values of one option.
struct Values<'a> {
    calls: Calls,
    /// The type of one call.
    ty: &'a Type,
    /// Whether the values are text, which is parsed.
    is_parsed: bool,
}

impl Values<'_> {
    fn default(&self, entry: &Entry, errors: &mut Errors) -> Option<Default> {
        if !entry.is_bare() {
            let written = entry.value(errors)?;
            if self.calls == Calls::AtMostOnce && written.to_token_stream().to_string() == "None" {
                errors.at(written, "an `Option` is already `None` by default; remove `default`");
                return None;
            }
            return self.typed(written, "the default", errors).map(Default::Is);
        }
        let key = &entry.key;
        if self.is_parsed {
            let message = "an option with `parse` takes its default as text: `default = \"text\"`";
            errors.at(key, message);
        }
        let literal: Expr = match known(self.ty) {
            Known::Bool => parse_quote_spanned!(key.span()=> false),
            Known::Int(_) => parse_quote_spanned!(key.span()=> 0),
            Known::Float => parse_quote_spanned!(key.span()=> 0.0),
            Known::String => parse_quote_spanned!(key.span()=> ""),
            Known::Duration => parse_quote_spanned!(key.span()=> "0s"),
            _ => return Some(Default::OfType(key.clone())),
        };
        self.typed(&literal, "the default", errors).map(Default::Is)
    }

    fn example(&self, entry: &Entry, errors: &mut Errors) -> Option<Value> {
        let written = entry.value(errors)?;
        if !self.is_parsed && !value::is_constant(written) {
            let constant = match known(self.ty) {
                Known::Other => "literals or a constant",
                known => known.example(),
            };
            let message =
                format!("`info` shows the example without running code; write {constant}");
            errors.at(written, message);
            return None;
        }
        self.typed(written, value::EXAMPLE, errors)
    }

    /// Returns a value of the option's type. The value of a parsed option stays text.
    fn typed(&self, written: &Expr, what: &str, errors: &mut Errors) -> Option<Value> {
        if !self.is_parsed {
            return lowered(written, self.ty, what, errors);
        }
        if !matches!(value::literal(written), Some(Literal::String(_))) {
            let message = format!("with `parse`, {what} must be text in quotes");
            errors.at(written, message);
        }
        Some(Value { code: written.to_token_stream(), written: written.clone() })
    }

    /// Returns the range of values: `range`, `above` or both. The ends of a NonZero type are plain
    /// integers, and may be 0.
    fn range(
        &self,
        range: Option<&Entry>,
        above: Option<&Entry>,
        errors: &mut Errors,
    ) -> Option<Range> {
        let key = &range.or(above)?.key;
        let element = match known(self.ty) {
            Known::Array(element) => element,
            _ => self.ty.clone(),
        };
        let ty = match known(&element) {
            Known::NonZero(int) => {
                let plain = Ident::new(int.name, element.span());
                parse_quote!(#plain)
            }
            Known::Percent => parse_quote!(f64),
            Known::Int(_) | Known::Float | Known::Duration | Known::Other => element,
            _ => {
                let message = format!(
                    "{} cannot have `{key}`; write `len` for the length of text, or \
                     `validate = path` for other rules",
                    value::show(self.ty)
                );
                errors.at(key, message);
                return None;
            }
        };
        let range = match range {
            Some(entry) => Some(self::range(entry, &ty, errors)?),
            None => None,
        };
        match above {
            Some(entry) => self::above(entry, range, &ty, errors),
            None => range,
        }
    }

    /// Returns a range of the length of text, or of the number of calls.
    fn len(&self, entry: &Entry, ty: &Type, errors: &mut Errors) -> Option<Range> {
        let has_len = matches!(known(self.ty), Known::String | Known::Other);
        if self.calls != Calls::Any && !has_len && !self.is_parsed {
            let message = format!(
                "`len` limits the characters of a String or the calls of a Vec, and cannot limit {}",
                value::show(ty)
            );
            errors.at(&entry.key, message);
            return None;
        }
        range(entry, &parse_quote!(usize), errors)
    }
}

/// Returns a range whose ends are of this type.
fn range(entry: &Entry, ty: &Type, errors: &mut Errors) -> Option<Range> {
    let (key, written) = (&entry.key, entry.value(errors)?);
    let mut range = Range {
        min: None,
        max: None,
        above: false,
        inclusive: false,
        written: written.clone(),
        shown: format!("{key} = {}", value::source(written)),
    };
    match plain(written) {
        Expr::Path(_) => {}
        Expr::Range(ends) if ends.start.is_none() && ends.end.is_none() => {
            errors.at(written, format_args!("`..` contains every value; remove `{key}`"));
            return None;
        }
        Expr::Range(ends) => {
            let what = format!("an end of the `{key}`");
            let mut end = |end: &Option<Box<Expr>>| match end {
                Some(end) => lowered(end, ty, &what, errors).map(Some),
                None => Some(None),
            };
            let (min, max) = (end(&ends.start), end(&ends.end));
            (range.min, range.max) = (min?, max?);
            range.inclusive = matches!(ends.limits, RangeLimits::Closed(_));
        }
        _ => {
            let (from, to) = match known(ty) {
                Known::Duration => ("\"1s\"", "\"1h\""),
                _ => ("1", "10"),
            };
            let message = format!(
                "expected a range: `{key} = {from}..`, `{key} = {from}..={to}` or `{key} = ..{to}`"
            );
            errors.at(written, message);
            return None;
        }
    }
    Some(range)
}

/// Returns the range of the values above an end.
fn above(entry: &Entry, range: Option<Range>, ty: &Type, errors: &mut Errors) -> Option<Range> {
    let written = entry.value(errors)?;
    let min = lowered(written, ty, "the end of `above`", errors);
    let shown = format!("above = {}", value::source(written));
    match range {
        Some(range) if range.min.is_some() || range.max.is_none() => {
            let message = "with `above`, the range has only an end: `above = 0.0, range = ..=1.0`";
            errors.at(&range.written, message);
            None
        }
        Some(range) => {
            let shown = format!("{shown}, {}", range.shown);
            Some(Range { min: Some(min?), above: true, shown, ..range })
        }
        None => Some(Range {
            min: Some(min?),
            max: None,
            above: true,
            inclusive: false,
            written: written.clone(),
            shown,
        }),
    }
}

/// Returns the value with the code of this type, unless there is an error.
fn lowered(written: &Expr, ty: &Type, what: &str, errors: &mut Errors) -> Option<Value> {
    let before = errors.count();
    let code = value::lower(what, written, ty, errors);
    (errors.count() == before).then(|| Value { code, written: written.clone() })
}

fn validate(entry: &Entry, errors: &mut Errors) -> Option<Expr> {
    let path = entry.value(errors)?;
    if !matches!(plain(path), Expr::Path(_)) {
        let message = "expected the path of a function: `validate = is_even`, for `fn is_even(value: \
                       &T) -> Result<(), String>`";
        errors.at(path, message);
        return None;
    }
    Some(path.clone())
}
