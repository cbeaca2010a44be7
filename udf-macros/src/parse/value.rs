//! Values in attributes: literals are checked against the type of the field where that is known.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ExprPath, Lit, LitFloat, Type};

use super::entries::{is_keyword, split_at_commas};
use super::types::{Int, Known, is_name, known};
use crate::errors::Errors;
use crate::words::duration;

/// What errors call an example.
pub(super) const EXAMPLE: &str = "its example";

/// A literal with its sign.
#[derive(Debug, Clone)]
pub(crate) enum Literal {
    Bool,
    Int(i128),
    Float(f64),
    String(String),
    Char,
    /// Bytes and such, which fit no option.
    Other,
}

/// The literal that the tokens are, if they are one.
pub(crate) fn literal(tokens: &TokenStream) -> Option<Literal> {
    let mut tokens = tokens.clone().into_iter().peekable();
    let negative =
        tokens.next_if(|token| matches!(token, TokenTree::Punct(sign) if sign.as_char() == '-'));
    let lit = syn::parse2::<Lit>(tokens.collect()).ok()?;
    Some(match lit {
        Lit::Int(int) if int.suffix().starts_with('f') => {
            let value: f64 = int.base10_digits().parse().ok()?;
            Literal::Float(if negative.is_some() { -value } else { value })
        }
        Lit::Int(int) => {
            let value: i128 = int.base10_digits().parse().ok()?;
            Literal::Int(if negative.is_some() { -value } else { value })
        }
        Lit::Float(float) => {
            let value: f64 = float.base10_digits().parse().ok()?;
            Literal::Float(if negative.is_some() { -value } else { value })
        }
        _ if negative.is_some() => return None,
        Lit::Bool(_) => Literal::Bool,
        Lit::Str(text) => Literal::String(text.value()),
        Lit::Char(_) => Literal::Char,
        _ => Literal::Other,
    })
}

impl Literal {
    fn describe(&self) -> &'static str {
        match self {
            Literal::Bool => "a boolean",
            Literal::Int(_) => "an integer",
            Literal::Float(_) => "a float",
            Literal::String(_) => "text",
            Literal::Char => "a character",
            Literal::Other => "a literal of another type",
        }
    }
}

/// What keeps a value from being an expression, as far as its tokens tell, and where.
///
/// rustc would tell it of the code that is made of it, several times and in other words.
pub(crate) fn malformed(tokens: &TokenStream) -> Option<(TokenTree, &'static str)> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let char = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char(),
        _ => ' ',
    };
    let (first, last) = (tokens.first()?, tokens.last()?);
    let is_path = char(first) == ':' && tokens.get(1).is_some_and(|token| char(token) == ':');
    if "=@/+.:?%^~$#>".contains(char(first)) && !is_path {
        return Some((first.clone(), "no value begins like this"));
    }
    if char(last) != ' ' && !"?>".contains(char(last)) {
        return Some((last.clone(), "the value is not complete: something is missing behind this"));
    }
    let strange = tokens.iter().find(|token| "@~$#\\".contains(char(token)));
    if let Some(strange) = strange {
        return Some((strange.clone(), "this is part of no value"));
    }
    let whole = |token: &TokenTree| match token {
        TokenTree::Literal(_) => true,
        TokenTree::Ident(_) => !is_keyword(token),
        TokenTree::Group(_) | TokenTree::Punct(_) => false,
    };
    let second = tokens.windows(2).find_map(|pair| match pair {
        [first, second @ TokenTree::Literal(_)] if whole(first) => Some(second.clone()),
        _ => None,
    });
    second.map(|second| (second, "expected `,` or an operator before this"))
}

/// Whether these tokens are an expression that rustc knows the value of: no code runs for it.
///
/// That is a literal, the path of a constant or of a variant, what operators make of literals, and
/// tuples, arrays and tuple structs of these.
pub(crate) fn is_constant(tokens: &TokenStream) -> bool {
    if is_of_literals(tokens) || syn::parse2::<ExprPath>(tokens.clone()).is_ok() {
        return true;
    }
    if let Some((delimiter, inner, _)) = single_group(tokens) {
        return match delimiter {
            Delimiter::Brace => false,
            Delimiter::None => is_constant(&inner),
            Delimiter::Parenthesis | Delimiter::Bracket => parts(inner).iter().all(is_constant),
        };
    }
    // `Name(...)`: functions are in lower case.
    let mut before: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let Some(TokenTree::Group(last)) = before.pop() else { return false };
    let path = syn::parse2::<ExprPath>(before.into_iter().collect());
    let name = path.ok().and_then(|path| Some(path.path.segments.last()?.ident.to_string()));
    last.delimiter() == Delimiter::Parenthesis
        && name.is_some_and(|name| name.starts_with(char::is_uppercase))
        && parts(last.stream()).iter().all(is_constant)
}

/// Whether there is nothing but literals and operators in the tokens, in any brackets but braces.
fn is_of_literals(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().all(|token| match token {
        TokenTree::Literal(_) => true,
        TokenTree::Punct(punct) => "+-*/%&|^<>!=,;".contains(punct.as_char()),
        TokenTree::Ident(ident) => ident == "true" || ident == "false",
        TokenTree::Group(group) => {
            group.delimiter() != Delimiter::Brace && is_of_literals(&group.stream())
        }
    })
}

/// The arguments that an example is, as a TICKscript has them: that of an option which is parsed, and
/// literals for a type that is not known here.
pub(crate) fn as_arguments(
    tokens: &TokenStream,
    ty: &Type,
    parsed: bool,
) -> Option<Vec<(Literal, TokenStream)>> {
    if !parsed && !matches!(known(ty), Known::Other) {
        return None;
    }
    let all = match single_group(tokens) {
        Some((Delimiter::None, inner, _)) => return as_arguments(&inner, ty, parsed),
        Some((Delimiter::Parenthesis | Delimiter::Bracket, inner, _)) => parts(inner),
        _ => vec![tokens.clone()],
    };
    all.into_iter().map(|one| Some((literal(&one)?, one))).collect()
}

/// An expression as it is shown to people.
pub(crate) fn source(tokens: impl ToTokens) -> String {
    show(tokens).trim_matches('`').to_owned()
}

/// The expression that a value in an attribute stands for: `"10s"` is a Duration, `1` is a float
/// where a float is wanted. `what` is what errors call it, `its default`.
pub(crate) fn lowered(
    tokens: &TokenStream,
    ty: &Type,
    what: &str,
    errors: &mut Errors,
) -> TokenStream {
    let kind = known(ty);
    if let Some(literal) = literal(tokens) {
        return lowered_literal(tokens, &literal, &kind, ty, what, errors);
    }
    if let (Known::String | Known::Path | Known::Duration, Some(word)) = (&kind, word(tokens)) {
        // A constant's name is in upper case.
        errors.at(tokens, format_args!("{what} is text, which is in quotes: write `\"{word}\"`"));
        return tokens.clone();
    }
    match (&kind, single_group(tokens)) {
        (Known::Tuple(types), Some((Delimiter::Parenthesis, inner, span))) => {
            let parts = parts(inner);
            if parts.len() != types.len() {
                let (are, should) = (parts.len(), types.len());
                let message = format!("{what} has {are} values, its type has {should}");
                errors.at(tokens, message);
                return tokens.clone();
            }
            let parts = parts.iter().zip(types).map(|(part, ty)| lowered(part, ty, what, errors));
            let parts: Vec<_> = parts.collect();
            quote_spanned!(span=> (#(#parts,)*))
        }
        (Known::Array(ty), Some((Delimiter::Bracket, inner, span))) if !has_semicolon(&inner) => {
            let parts = parts(inner);
            let parts: Vec<_> = parts.iter().map(|part| lowered(part, ty, what, errors)).collect();
            quote_spanned!(span=> [#(#parts),*])
        }
        _ => tokens.clone(),
    }
}

/// A single word in lower case.
fn word(tokens: &TokenStream) -> Option<String> {
    let word = syn::parse2::<Ident>(tokens.clone()).ok()?.to_string();
    word.starts_with(char::is_lowercase).then_some(word)
}

fn parts(inner: TokenStream) -> Vec<TokenStream> {
    split_at_commas(inner).into_iter().map(|part| part.into_iter().collect()).collect()
}

fn has_semicolon(tokens: &TokenStream) -> bool {
    tokens
        .clone()
        .into_iter()
        .any(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ';'))
}

fn single_group(tokens: &TokenStream) -> Option<(Delimiter, TokenStream, Span)> {
    let mut tokens = tokens.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Group(group)), None) => {
            Some((group.delimiter(), group.stream(), group.span()))
        }
        _ => None,
    }
}

fn lowered_literal(
    tokens: &TokenStream,
    literal: &Literal,
    kind: &Known,
    ty: &Type,
    what: &str,
    errors: &mut Errors,
) -> TokenStream {
    let span = tokens.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
    match (kind, literal) {
        (Known::Int(int), Literal::Int(value)) => {
            fits(tokens, *value, *int, what, errors);
            tokens.clone()
        }
        (Known::NonZero(_), Literal::Int(0)) => {
            errors.at(tokens, format_args!("{what} is 0, which {} cannot be", show(ty)));
            tokens.clone()
        }
        (Known::NonZero(int), Literal::Int(value)) => {
            fits(tokens, *value, *int, what, errors);
            quote_spanned!(span=> const {
                match <#ty>::new(#tokens) {
                    ::core::option::Option::Some(__value) => __value,
                    ::core::option::Option::None => ::core::unreachable!(),
                }
            })
        }
        (Known::Float, Literal::Float(_)) => tokens.clone(),
        (Known::Float, Literal::Int(value)) => {
            let float = LitFloat::new(&format!("{}.0", value.unsigned_abs()), span);
            let sign = (*value < 0).then(|| quote!(-));
            quote!(#sign #float)
        }
        (Known::Path, Literal::String(text)) if text.is_empty() => {
            errors.at(tokens, format_args!("{what} is empty, which no path is"));
            tokens.clone()
        }
        (Known::Other, Literal::String(text)) if what != EXAMPLE && is_name(ty) => {
            if matches!(&**text, "" | "time") {
                let message = format!("{what} is {tokens}, which {} cannot be", show(ty));
                errors.at(tokens, message);
            }
            quote_spanned!(span=> <#ty>::literal(#tokens))
        }
        // One that borrows is told for that.
        (Known::Other, Literal::String(_))
            if !matches!(ty, Type::Reference(_)) && what != EXAMPLE =>
        {
            let ty = show(ty);
            let message = format!(
                "{what} is text, and {ty} is not known to be; with `parse`, text is parsed, else write \
                 an expression of type {ty}"
            );
            errors.at(tokens, message);
            tokens.clone()
        }
        (Known::Other, _) | (Known::Bool, Literal::Bool) | (Known::Char, Literal::Char) => {
            tokens.clone()
        }
        (Known::String | Known::Path, Literal::String(_)) => {
            quote_spanned!(span=> <#ty as ::core::convert::From<&::core::primitive::str>>::from(#tokens))
        }
        (Known::Duration, Literal::String(text)) => match duration::nanos(text) {
            Ok(nanos) => quote_spanned!(span=> ::core::time::Duration::from_nanos(#nanos)),
            Err(message) => {
                errors.at(tokens, message);
                quote_spanned!(span=> ::core::time::Duration::ZERO)
            }
        },
        (kind, literal) => {
            let (came, wanted) = (literal.describe(), kind.example());
            let message = format!("{what} is {came}, but {} takes {wanted}", show(ty));
            errors.at(tokens, message);
            tokens.clone()
        }
    }
}

fn fits(tokens: &TokenStream, value: i128, int: Int, what: &str, errors: &mut Errors) {
    if value < int.min || value > int.max {
        let Int { name, min, max } = int;
        errors.at(tokens, format_args!("{what} is {value}, but {name} goes from {min} to {max}"));
    }
}

/// A type as it is written in messages.
pub(crate) fn show(tokens: impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let text = text.replace(" <", "<").replace("< ", "<").replace(" >", ">").replace(" ,", ",");
    let text = text.replace(" :: ", "::").replace(":: ", "::");
    format!("`{}`", text.replace(" ..", "..").replace(".. ", "..").replace("..= ", "..="))
}
