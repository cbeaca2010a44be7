//! The entries of an attribute: `key`, `key = value` and `key(...)`, separated by commas.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Token, Type, parenthesized, token};

use super::tables::{Row, Table};
use crate::errors::Errors;
use crate::model::At;
use crate::words::suggest::{any_of, did_you_mean};

/// The valid entries of an attribute. Only the keys in `REPEATED` occur more than once.
#[derive(Default)]
pub(crate) struct Entries {
    all: Vec<Entry>,
    /// Whether there was an invalid entry, which may be a misspelt known one.
    has_invalid: bool,
}

/// The keys that can be repeated.
const REPEATED: [&str; 2] = ["alias", "at_least_one_of"];

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
}

/// Parses the tokens of an attribute. Notes and omits invalid entries.
pub(crate) fn entries(tokens: TokenStream, table: Table, errors: &mut Errors) -> Entries {
    let mut entries = Entries::default();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            if let Err(error) = entries.add(input, table) {
                entries.has_invalid = true;
                errors.push(error);
                skip_to_comma(input)?;
            } else if !input.is_empty() && input.parse::<Option<Token![,]>>()?.is_none() {
                errors.push(input.error("expected `,` here"));
                // If only the comma is missing, the next entry begins with a name.
                if !input.peek(Ident::peek_any) {
                    skip_to_comma(input)?;
                }
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
            let message = format!("expected `#[{name}]` or `#[{name}(...)]`");
            errors.at(value.eq_token, message);
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

fn value(input: ParseStream<'_>, key: &Ident, form: &str) -> syn::Result<Value> {
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
        return Err(syn::Error::new_spanned(equals, format!("missing value: `{form}`")));
    }
    if key == "point" {
        return Ok(Value::Type(input.parse()?));
    }
    match input.parse::<Expr>() {
        Ok(Expr::Assign(assign)) => {
            let message = "unexpected `=`; a `,` may be missing before the key";
            Err(syn::Error::new_spanned(assign.eq_token, message))
        }
        Ok(value) => Ok(Value::Is(value)),
        // The end of the attribute has no span.
        Err(_) if input.is_empty() => {
            let message = format!("incomplete value of `{key}`");
            Err(syn::Error::new_spanned(equals, message))
        }
        Err(error) => Err(error),
    }
}

/// Returns the error for an unknown key.
fn unknown(key: &str, habit: Option<&Row>, table: Table) -> String {
    let known = || table.iter().filter(|row| !row.form.is_empty()).map(|row| row.key);
    let hint = match habit {
        Some(habit) => format!("; {}", habit.hint),
        None => did_you_mean(key, known()),
    };
    match known().count() {
        0 => format!("unknown `{key}`{hint}\nthe attribute takes no arguments"),
        _ => format!("unknown `{key}`{hint}\nexpected {}", any_of(known())),
    }
}

impl Entries {
    /// Adds the next entry. Refuses an unknown key, and a second one.
    fn add(&mut self, input: ParseStream<'_>, table: Table) -> syn::Result<()> {
        let Ok(key) = input.call(Ident::parse_any) else {
            return Err(input.error("expected a key, as in `name = \"size\"`"));
        };
        let name = key.to_string();
        let row = table.iter().find(|row| row.key == name);
        let Some(Row { form, .. }) = row.filter(|row| !row.form.is_empty()) else {
            return Err(syn::Error::new_spanned(key, unknown(&name, row, table)));
        };
        let value = value(input, &key, form)?;
        if !REPEATED.contains(&&*name) && self.get(&name).is_some() {
            return Err(syn::Error::new_spanned(key, format!("duplicate `{name}`; remove one")));
        }
        self.all.push(Entry { key, form, value });
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.all.iter()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.all(key).next()
    }

    /// Returns every entry with this key.
    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &Entry> {
        self.all.iter().filter(move |entry| entry.key == key)
    }

    /// Returns whether the key is there, or an invalid entry may be meant as this key.
    pub(crate) fn may_have(&self, key: &str) -> bool {
        self.has_invalid || self.get(key).is_some()
    }

    /// Returns the text of `key = "text"`.
    pub(crate) fn text(&self, key: &str, errors: &mut Errors) -> Option<&LitStr> {
        self.get(key)?.text(errors)
    }

    /// Returns the key of an entry that takes no value.
    pub(crate) fn bare(&self, key: &str, errors: &mut Errors) -> Option<Ident> {
        let entry = self.get(key)?;
        if !matches!(entry.value, Value::Bare) {
            errors.at(&entry.key, format_args!("`{key}` takes no value; write `{key}` alone"));
        }
        Some(entry.key.clone())
    }
}

impl Entry {
    /// Returns the value of `key = value`.
    pub(crate) fn value(&self, errors: &mut Errors) -> Option<&Expr> {
        match &self.value {
            Value::Is(value) => Some(value),
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

    /// Returns the text of `key = "text"`, and its tokens.
    pub(crate) fn name(&self, errors: &mut Errors) -> Option<At<String>> {
        let text = self.text(errors)?;
        Some(At { value: text.value(), tokens: text.to_token_stream() })
    }

    /// Returns whether the key has no value.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self.value, Value::Bare)
    }

    /// Returns the expressions of `key = value` or `key(value, value)`.
    pub(crate) fn list(&self, errors: &mut Errors) -> Vec<&Expr> {
        match &self.value {
            Value::List(list) if list.is_empty() => {
                errors.at(&self.key, format_args!("missing names: `{}`", self.form));
                Vec::new()
            }
            Value::List(list) => list.iter().collect(),
            _ => self.value(errors).into_iter().collect(),
        }
    }

    /// Returns the name of `key = name`.
    pub(crate) fn ident(&self, errors: &mut Errors) -> Option<Ident> {
        self.value(errors)?;
        self.idents(errors).pop()
    }

    /// Returns the names of `key = name` or `key(name, name)`.
    pub(crate) fn idents(&self, errors: &mut Errors) -> Vec<Ident> {
        let form = self.form;
        let all = self.list(errors);
        let idents = all.into_iter().filter_map(|expr| match super::value::plain(expr) {
            Expr::Path(path) if path.path.get_ident().is_some() => path.path.get_ident().cloned(),
            other => {
                errors.at(
                    other,
                    format_args!("expected the name of a field, without quotes: `{form}`"),
                );
                None
            }
        });
        idents.collect()
    }
}
