//! The entries of an attribute: `key`, `key = value` and `key(...)`, separated by commas.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::LitStr;

use crate::errors::Errors;
use crate::words::suggest::{any_of, did_you_mean, nearest};

/// One entry of an attribute.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) form: Form,
}

pub(crate) enum Form {
    /// `key`
    Bare,
    /// `key = value`; the value may be empty.
    Is { equals: Span, value: TokenStream },
    /// `key(...)`
    List(Group),
    /// What follows the key is wrong, which has been noted.
    Wrong,
}

/// Splits the tokens of an attribute; what is no entry is noted and left out.
pub(crate) fn entries(tokens: TokenStream, errors: &mut Errors) -> Vec<Entry> {
    let parts = split_at_commas(tokens);
    parts.into_iter().filter_map(|part| entry(part, errors)).collect()
}

fn entry(part: Vec<TokenTree>, errors: &mut Errors) -> Option<Entry> {
    let mut tokens = part.into_iter();
    let key = match tokens.next() {
        Some(TokenTree::Ident(key)) => key,
        Some(other) => {
            let rest: TokenStream = std::iter::once(other).chain(tokens).collect();
            errors.at(rest, "expected a name here, as in `name = \"size\"`");
            return None;
        }
        None => return None,
    };
    let form = match tokens.next() {
        None => Form::Bare,
        Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
            Form::Is { equals: equals.span(), value: tokens.by_ref().collect() }
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
            Form::List(group)
        }
        Some(other) => {
            let rest: TokenStream = std::iter::once(other).chain(tokens.by_ref()).collect();
            errors.at(rest, format_args!("expected `,`, `=` or `(...)` behind `{key}`"));
            Form::Wrong
        }
    };
    if let Some(more) = tokens.next() {
        errors.at(more, format_args!("expected `,` behind `{key}(...)`"));
    }
    Some(Entry { key, form })
}

/// Splits at commas; those between the brackets of a turbofish, `f::<A, B>()`, separate nothing.
pub(crate) fn split_at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0usize;
    let mut before = [' '; 2];
    for token in tokens {
        let char = match &token {
            TokenTree::Punct(punct) => punct.as_char(),
            _ => ' ',
        };
        match char {
            '<' if depth > 0 || before == [':', ':'] => depth += 1,
            '>' if depth > 0 && before[1] != '-' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(Vec::new());
                before = [' '; 2];
                continue;
            }
            _ => {}
        }
        before = [before[1], char];
        parts.last_mut().expect("there is one from the start").push(token);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

impl Entry {
    /// The value of `key = value`; `form` shows how it is written.
    pub(crate) fn value(&self, form: &str, errors: &mut Errors) -> Option<TokenStream> {
        match &self.form {
            Form::Is { value, .. } if !value.is_empty() => Some(value.clone()),
            Form::Is { equals, .. } => {
                errors.span(*equals, format_args!("the value is missing: `{form}`"));
                None
            }
            Form::Bare | Form::List(_) => {
                errors.at(&self.key, format_args!("`{}` takes a value: `{form}`", self.key));
                None
            }
            Form::Wrong => None,
        }
    }

    /// The text of `key = "text"`.
    pub(crate) fn text(&self, form: &str, errors: &mut Errors) -> Option<LitStr> {
        let value = self.value(form, errors)?;
        let text = syn::parse2::<LitStr>(value.clone()).ok();
        if text.is_none() {
            let key = &self.key;
            errors.at(value, format_args!("`{key}` takes text in quotes: `{form}`"));
        }
        text
    }

    /// Notes that nothing follows this key.
    pub(crate) fn bare(&self, errors: &mut Errors) {
        let tokens = match &self.form {
            Form::Bare | Form::Wrong => return,
            Form::Is { value, .. } if value.is_empty() => self.key.to_token_stream(),
            Form::Is { value, .. } => value.clone(),
            Form::List(group) => group.to_token_stream(),
        };
        errors.at(tokens, format_args!("`{0}` takes no value: write `{0}` alone", self.key));
    }

    /// The names of `key = name` or `key(name, name)`.
    pub(crate) fn idents(&self, form: &str, errors: &mut Errors) -> Vec<Ident> {
        let tokens = match &self.form {
            Form::List(group) if !group.stream().is_empty() => group.stream(),
            Form::List(group) => {
                errors.at(group, format_args!("the names are missing: `{form}`"));
                return Vec::new();
            }
            _ => self.value(form, errors).unwrap_or_default(),
        };
        let parts = split_at_commas(tokens).into_iter();
        let idents = parts.filter_map(|part| match &part[..] {
            [TokenTree::Ident(ident)] => Some(ident.clone()),
            _ => {
                let part: TokenStream = part.into_iter().collect();
                errors.at(part, format_args!("expected the name of a field: `{form}`"));
                None
            }
        });
        idents.collect()
    }
}

/// The keys that are there, or were meant by one that is misspelt: none of them is to be told missing.
pub(crate) fn meant<'k>(entries: &[Entry], known: &[&'k str]) -> Vec<&'k str> {
    let nearest = |entry: &Entry| nearest(&entry.key.to_string(), known.iter().copied());
    entries.iter().filter_map(nearest).collect()
}

/// Notes keys that are not known, and those that are there twice; the others are left.
pub(crate) fn known_once(
    entries: Vec<Entry>,
    known: &[&str],
    repeatable: &[&str],
    errors: &mut Errors,
) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        let key = entry.key.to_string();
        if !known.contains(&&*key) {
            let near = did_you_mean(&key, known.iter().copied());
            let all = any_of(known.iter().copied());
            let message = format!("unknown `{key}`{near}");
            errors.at(&entry.key, format_args!("{message}\nexpected {all}"));
        } else if !repeatable.contains(&&*key) && kept.iter().any(|kept| kept.key == key) {
            errors.at(&entry.key, format_args!("`{key}` is there twice; keep one"));
        } else {
            kept.push(entry);
        }
    }
    kept
}
