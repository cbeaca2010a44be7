//! The entries of an attribute: `key`, `key = value` and `key(...)`, separated by commas.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Token, Type, parenthesized, token};

use super::tables::{Row, Table};
use crate::errors::Errors;
use crate::words::suggest::{any_of, did_you_mean};

/// The known entries of an attribute. Only `alias` occurs more than once.
#[derive(Default)]
pub(crate) struct Entries {
    all: Vec<Entry>,
    /// Whether there was an unknown key, which may be a misspelt known one.
    unknown: bool,
}

/// One entry of an attribute.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    /// The form of the entry, for messages.
    form: &'static str,
    value: Value,
}

enum Value {
    /// `key`
    Bare,
    /// `key = value`
    Is(Expr),
    /// `point = Type`
    Type(Type),
    /// `key(...)`
    List(Punctuated<Expr, Token![,]>),
    /// The value is invalid, and the error is noted.
    Wrong,
}

/// Parses the tokens of an attribute. Notes and omits invalid entries.
pub(crate) fn entries(tokens: TokenStream, table: Table, errors: &mut Errors) -> Entries {
    let mut entries = Entries::default();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let before = errors.count();
            let entry = entry(input, table, errors);
            let is_right = errors.count() == before;
            if let Some(entry) = entry {
                entries.add(entry, table, errors);
            }
            if input.is_empty() || input.parse::<Option<Token![,]>>()?.is_some() {
                continue;
            }
            if is_right {
                errors.span(input.span(), "expected `,` here");
            }
            // If only the comma is missing, the next entry begins with a name.
            if !is_right || !input.peek(Ident::peek_any) {
                skip_to_comma(input)?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.push(error);
    }
    entries
}

/// Returns the entries of `#[name(...)]`, and none for `#[name]`.
pub(crate) fn attribute(attr: &Attribute, table: Table, errors: &mut Errors) -> Entries {
    match &attr.meta {
        Meta::Path(_) => Entries::default(),
        Meta::List(list) => entries(list.tokens.clone(), table, errors),
        Meta::NameValue(value) => {
            let name = attr.path().get_ident().map_or(String::new(), Ident::to_string);
            errors.span(
                value.eq_token.span,
                format_args!("expected `#[{name}]` or `#[{name}(...)]`"),
            );
            Entries::default()
        }
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && input.parse::<Option<Token![,]>>()?.is_none() {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn entry(input: ParseStream<'_>, table: Table, errors: &mut Errors) -> Option<Entry> {
    let Ok(key) = input.call(Ident::parse_any) else {
        let message = match (input.fork().parse::<LitStr>(), find(table, "name")) {
            (Ok(text), Some(_)) => format!("expected a name: write `name = {}`", text.token()),
            _ => "expected a name here, as in `name = \"size\"`".to_owned(),
        };
        errors.span(input.span(), message);
        return None;
    };
    let form = find(table, &key.to_string()).map_or("", |row| row.form);
    let value = value(input, &key, form, errors).unwrap_or_else(|error| {
        errors.push(error);
        Value::Wrong
    });
    Some(Entry { key, form, value })
}

fn value(
    input: ParseStream<'_>,
    key: &Ident,
    form: &str,
    errors: &mut Errors,
) -> syn::Result<Value> {
    if input.peek(token::Paren) {
        let list;
        parenthesized!(list in input);
        return Ok(Value::List(list.parse_terminated(Expr::parse, Token![,])?));
    }
    if !input.peek(Token![=]) {
        return Ok(Value::Bare);
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        errors.at(equals, format_args!("the value is missing: `{form}`"));
        return Ok(Value::Wrong);
    }
    if key == "point" {
        return Ok(Value::Type(input.parse()?));
    }
    let value: Expr = match input.parse() {
        Ok(value) => value,
        // The end of the attribute has no span.
        Err(_) if input.is_empty() => {
            let message = format!("the value of `{key}` is not complete");
            return Err(syn::Error::new_spanned(equals, message));
        }
        Err(error) => return Err(error),
    };
    if let Expr::Assign(assign) = &value {
        errors.at(assign.eq_token, "unexpected `=`; is a `,` missing before the name?");
        return Ok(Value::Wrong);
    }
    Ok(Value::Is(value))
}

fn find(table: Table, key: &str) -> Option<&'static Row> {
    table.iter().find(|row| row.key == key)
}

impl Entries {
    /// Adds an entry, unless its key is unknown or a duplicate.
    fn add(&mut self, entry: Entry, table: Table, errors: &mut Errors) {
        let key = entry.key.to_string();
        let row = find(table, &key);
        if row.is_none_or(|row| row.form.is_empty()) {
            self.unknown = true;
            let known = || table.iter().filter(|row| !row.form.is_empty()).map(|row| row.key);
            let near = match row {
                Some(habit) => format!("; {}", habit.hint),
                None => did_you_mean(&key, known()),
            };
            let expected = match known().count() {
                0 => "it takes no arguments".to_owned(),
                _ => format!("expected {}", any_of(known())),
            };
            errors.at(&entry.key, format_args!("unknown `{key}`{near}\n{expected}"));
        } else if key != "alias" && self.get(&key).is_some() {
            errors.at(&entry.key, format_args!("`{key}` is there twice; keep one"));
        } else {
            self.all.push(entry);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.all.iter()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.all.iter().find(|entry| entry.key == key)
    }

    /// Returns whether the key is there, or an unknown key may be a misspelling of it.
    pub(crate) fn may_have(&self, key: &str) -> bool {
        self.unknown || self.get(key).is_some()
    }

    /// Returns the text of `key = "text"`.
    pub(crate) fn text(&self, key: &str, errors: &mut Errors) -> Option<&LitStr> {
        self.get(key)?.text(errors)
    }
}

impl Entry {
    /// Returns the value of `key = value`.
    pub(crate) fn value(&self, errors: &mut Errors) -> Option<&Expr> {
        match &self.value {
            Value::Is(value) => Some(value),
            Value::Wrong => None,
            Value::Bare | Value::List(_) | Value::Type(_) => {
                let (key, form) = (&self.key, self.form);
                errors.at(key, format_args!("`{key}` takes a value: `{form}`"));
                None
            }
        }
    }

    /// Returns the type of `point = Type`.
    pub(crate) fn ty(&self, errors: &mut Errors) -> Option<&Type> {
        match &self.value {
            Value::Type(ty) => Some(ty),
            _ => {
                let _ = self.value(errors);
                None
            }
        }
    }

    /// Returns the text of `key = "text"`.
    pub(crate) fn text(&self, errors: &mut Errors) -> Option<&LitStr> {
        let value = self.value(errors)?;
        match super::value::plain(value) {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
            _ => {
                let (key, form) = (&self.key, self.form);
                errors.at(value, format_args!("`{key}` takes text in quotes: `{form}`"));
                None
            }
        }
    }

    /// Returns whether the key has no value.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self.value, Value::Bare)
    }

    /// Notes a value of a key that takes none.
    pub(crate) fn bare(&self, errors: &mut Errors) {
        if !matches!(self.value, Value::Bare | Value::Wrong) {
            let key = &self.key;
            errors.at(key, format_args!("`{key}` takes no value: write `{key}` alone"));
        }
    }

    /// Returns the names of `key = name` or `key(name, name)`.
    pub(crate) fn idents(&self, errors: &mut Errors) -> Vec<Ident> {
        let form = self.form;
        let all: Vec<&Expr> = match &self.value {
            Value::List(list) if list.is_empty() => {
                errors.at(&self.key, format_args!("the names are missing: `{form}`"));
                Vec::new()
            }
            Value::List(list) => list.iter().collect(),
            _ => self.value(errors).into_iter().collect(),
        };
        let idents = all.into_iter().filter_map(|expr| match super::value::plain(expr) {
            Expr::Path(path) if path.path.get_ident().is_some() => path.path.get_ident().cloned(),
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                let message = format!("write the field without quotes: `{}`", text.value());
                errors.at(text, message);
                None
            }
            other => {
                errors.at(other, format_args!("expected the name of a field: `{form}`"));
                None
            }
        });
        idents.collect()
    }
}
