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
    /// Whether it is a word where a comma was missed, which has been noted: it may as well be no entry.
    guessed: bool,
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
    let mut entries: Vec<Entry> = Vec::new();
    for part in split_at_commas(tokens) {
        for (at, part) in split_where_commas_lack(part, errors).into_iter().enumerate() {
            let entry = entry(part, entries.last_mut(), errors);
            entries.extend(entry.map(|entry| {
                let guessed = at > 0 && matches!(entry.form, Form::Bare);
                Entry { guessed, ..entry }
            }));
        }
    }
    entries
}

fn entry(part: Vec<TokenTree>, before: Option<&mut Entry>, errors: &mut Errors) -> Option<Entry> {
    let mut tokens = part.into_iter();
    let key = match tokens.next() {
        Some(TokenTree::Ident(key)) => key,
        Some(other) => {
            let rest: TokenStream = std::iter::once(other).chain(tokens).collect();
            let mut message = "expected a name here, as in `name = \"size\"`".to_owned();
            if let Some(Entry { key, form: form @ Form::Is { .. }, .. }) = before
                && (key == "default" || key == "example")
            {
                message = format!("expected a name here; several values are `{key} = (1, 2)`");
                *form = Form::Wrong;
            }
            errors.at(rest, message);
            return None;
        }
        None => return None,
    };
    let form = match tokens.next() {
        None => Form::Bare,
        Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
            let mut value = tokens.by_ref().peekable();
            match value.next_if(|token| is_punct(token, '=')) {
                Some(second) => {
                    errors.at(second, format_args!("one `=` is enough: `{key} = ...`"));
                    value.for_each(drop);
                    Form::Wrong
                }
                None => Form::Is { equals: equals.span(), value: value.collect() },
            }
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
    Some(Entry { key, form, guessed: false })
}

/// Splits at commas; those between the brackets of a path, `f::<A, B>()` or `Cpu<'_, f64>`, separate nothing.
pub(crate) fn split_at_commas(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut parts = vec![Vec::new()];
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| &tokens[at]);
        if is_punct(token, ',') && depth == 0 {
            parts.push(Vec::new());
            continue;
        }
        if is_punct(token, '<') && (depth > 0 || opens_brackets(&tokens, at)) {
            depth += 1;
        } else if is_punct(token, '>') && !before.is_some_and(|token| is_punct(token, '-')) {
            depth = depth.saturating_sub(1);
        }
        parts.last_mut().expect("there is one from the start").push(token.clone());
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether the `<` at this place opens the brackets of a path, and is no comparison.
fn opens_brackets(tokens: &[TokenTree], at: usize) -> bool {
    let behind_path = match at.checked_sub(1).map(|at| &tokens[at]) {
        Some(TokenTree::Ident(name)) => name.to_string().starts_with(char::is_uppercase),
        Some(TokenTree::Punct(punct)) => matches!(punct.as_char(), ':' | '=' | '&'),
        _ => false,
    };
    behind_path && tokens[at..].iter().any(|token| is_punct(token, '>'))
}

/// Splits where a comma was forgotten, which is noted: at `;`, and before what cannot go on with a value.
fn split_where_commas_lack(part: Vec<TokenTree>, errors: &mut Errors) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for (at, token) in part.iter().enumerate() {
        let begun = parts.last_mut().expect("there is one from the start");
        if is_punct(token, ';') {
            errors.at(token, "expected `,` here, not `;`");
            parts.push(Vec::new());
        } else if !begun.is_empty() && lacks_comma(&part, at) {
            errors.at(token, format_args!("expected `,` before `{token}`"));
            parts.push(vec![token.clone()]);
        } else {
            begun.push(token.clone());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether another entry begins at this place: a name that follows on a whole value, or has a `=` of its own.
fn lacks_comma(part: &[TokenTree], at: usize) -> bool {
    let is_word = |token: &TokenTree| matches!(token, TokenTree::Ident(_));
    let token = &part[at];
    if !is_word(token) || is_keyword(token) {
        return false;
    }
    let has_equals = part.get(at + 1).is_some_and(|token| is_punct(token, '='))
        && !part.get(at + 2).is_some_and(|token| is_punct(token, '=') || is_punct(token, '>'));
    let (before, earlier) = (&part[at - 1], at.checked_sub(2).map(|at| &part[at]));
    let is_whole = match before {
        TokenTree::Literal(_) => true,
        TokenTree::Group(group) => has_equals || group.delimiter() != Delimiter::Brace,
        // The first one is the key, and a lifetime goes on with a type.
        TokenTree::Ident(_) => {
            at > 1 && !is_keyword(before) && !earlier.is_some_and(|token| is_punct(token, '\''))
        }
        TokenTree::Punct(_) => false,
    };
    let ends_range = is_punct(before, '.') && earlier.is_some_and(|token| is_punct(token, '.'));
    is_whole || has_equals && (ends_range || at == 1)
}

/// Whether it is a word with which an expression or a type goes on.
pub(super) fn is_keyword(token: &TokenTree) -> bool {
    const KEYWORDS: [&str; 17] = [
        "as", "async", "const", "dyn", "else", "fn", "for", "if", "impl", "in", "loop", "match",
        "move", "mut", "ref", "unsafe", "while",
    ];
    matches!(token, TokenTree::Ident(word) if KEYWORDS.iter().any(|keyword| word == keyword))
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
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
    known_once_or(entries, known, repeatable, |_| None, errors)
}

/// The same, with advice about keys that are not known, but usual elsewhere.
pub(crate) fn known_once_or(
    entries: Vec<Entry>,
    known: &[&str],
    repeatable: &[&str],
    advice: impl Fn(&str) -> Option<&'static str>,
    errors: &mut Errors,
) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        let key = entry.key.to_string();
        if !known.contains(&&*key) && entry.guessed {
            continue;
        } else if !known.contains(&&*key) {
            let near = match advice(&key) {
                Some(advice) => format!("; {advice}"),
                None => did_you_mean(&key, known.iter().copied()),
            };
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
