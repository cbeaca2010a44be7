//! Values in attributes. A literal is checked against the type of the field, if that is known.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprUnary, Lit, LitFloat, Token, Type, UnOp};

use super::types::{Int, Known, known};
use crate::errors::Errors;
use crate::words::case::Case;
use crate::words::duration;

/// The name of an example in messages.
pub(super) const EXAMPLE: &str = "the example";

/// A literal with its sign.
#[derive(Debug, Clone)]
pub(crate) enum Literal {
    Bool(bool),
    Int(i128),
    Float(f64),
    String(String),
    Char(char),
    /// Byte strings and C strings, which fit no option.
    Other,
}

/// Returns the expression within parentheses, and within the invisible ones of a `macro_rules!`.
pub(crate) fn plain(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(inner) => plain(&inner.expr),
        Expr::Paren(inner) => plain(&inner.expr),
        expr => expr,
    }
}

/// Returns the literal that an expression is, if it is one.
pub(crate) fn literal(expr: &Expr) -> Option<Literal> {
    let (lit, negative) = match plain(expr) {
        Expr::Lit(ExprLit { lit, .. }) => (lit, false),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match plain(expr) {
            Expr::Lit(ExprLit { lit: lit @ (Lit::Int(_) | Lit::Float(_)), .. }) => (lit, true),
            _ => return None,
        },
        _ => return None,
    };
    let float = |digits: &str| digits.parse::<f64>().ok();
    Some(match lit {
        Lit::Int(int) if !int.suffix().starts_with('f') => {
            let value: i128 = int.base10_digits().parse().ok()?;
            Literal::Int(if negative { -value } else { value })
        }
        Lit::Int(int) => Literal::Float(float(int.base10_digits())? * sign(negative)),
        Lit::Float(value) => Literal::Float(float(value.base10_digits())? * sign(negative)),
        Lit::Byte(byte) => Literal::Int(byte.value().into()),
        Lit::Bool(value) => Literal::Bool(value.value),
        Lit::Str(text) => Literal::String(text.value()),
        Lit::Char(char) => Literal::Char(char.value()),
        _ => Literal::Other,
    })
}

fn sign(negative: bool) -> f64 {
    if negative { -1.0 } else { 1.0 }
}

/// Returns whether an expression calls no function of the author. Such an expression is a literal,
/// the path of a constant or a variant, an operator with these, or a tuple, an array or a tuple
/// struct of these.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    match plain(expr) {
        Expr::Path(_) => true,
        Expr::Tuple(tuple) => tuple.elems.iter().all(is_constant),
        Expr::Array(array) => array.elems.iter().all(is_constant),
        Expr::Repeat(repeat) => is_constant(&repeat.expr) && is_constant(&repeat.len),
        Expr::Call(call) => {
            // The name of a function is in lower case.
            let is_type = match plain(&call.func) {
                Expr::Path(path) => path
                    .path
                    .segments
                    .last()
                    .is_some_and(|last| last.ident.to_string().starts_with(char::is_uppercase)),
                _ => false,
            };
            is_type && call.args.iter().all(is_constant)
        }
        Expr::Lit(_) => true,
        Expr::Unary(unary) => is_constant(&unary.expr),
        Expr::Binary(binary) => is_constant(&binary.left) && is_constant(&binary.right),
        _ => false,
    }
}

/// Returns the elements of a tuple or an array, or the value itself.
pub(crate) fn elements(expr: &Expr) -> Vec<&Expr> {
    match plain(expr) {
        Expr::Tuple(tuple) => tuple.elems.iter().collect(),
        Expr::Array(array) => array.elems.iter().collect(),
        one => vec![one],
    }
}

/// Checks a value against a type, and returns an expression of this type. For example, `"10s"`
/// becomes a Duration, and `1` becomes a float. `what` is the name of the value in messages, such
/// as `the default`.
pub(super) fn lower(what: &str, expr: &Expr, ty: &Type, errors: &mut Errors) -> TokenStream {
    let mut parts = |exprs: &Punctuated<Expr, Token![,]>, types: &[&Type]| {
        let parts = exprs.iter().zip(types).map(|(expr, ty)| lower(what, expr, ty, errors));
        parts.collect::<Vec<_>>()
    };
    match (known(ty), plain(expr)) {
        (Known::Tuple(types), Expr::Tuple(tuple)) if tuple.elems.len() == types.len() => {
            let parts = parts(&tuple.elems, &types.iter().collect::<Vec<_>>());
            quote_spanned!(expr.span()=> (#(#parts,)*))
        }
        (Known::Array(ty), Expr::Array(array)) => {
            let parts = parts(&array.elems, &vec![&ty; array.elems.len()]);
            quote_spanned!(expr.span()=> [#(#parts),*])
        }
        (kind, _) => match literal(expr) {
            Some(literal) => lower_literal(what, expr, &literal, ty, &kind, errors),
            None => expr.to_token_stream(),
        },
    }
}

fn lower_literal(
    what: &str,
    expr: &Expr,
    literal: &Literal,
    ty: &Type,
    kind: &Known,
    errors: &mut Errors,
) -> TokenStream {
    let span = expr.span();
    let shown = show(ty);
    let error = match (kind, literal) {
        (Known::Int(int) | Known::NonZero(int), Literal::Int(value))
            if !(int.min..=int.max).contains(value) =>
        {
            let Int { name, min, max } = int;
            format!("{what} is {value}, but {name} has values from {min} to {max}")
        }
        (Known::NonZero(_), Literal::Int(0)) => format!("{what} is 0, but {shown} cannot be 0"),
        (Known::NonZero(_), Literal::Int(_)) => {
            return quote_spanned!(span=> const { <#ty>::new(#expr).expect("it is not 0") });
        }
        (Known::Float, Literal::Int(value)) => {
            let float = LitFloat::new(&format!("{}.0", value.unsigned_abs()), span);
            let sign = (*value < 0).then(|| quote!(-));
            return quote!(#sign #float);
        }
        (Known::Percent, Literal::Int(0..=100)) => {
            return quote_spanned!(span=> <#ty>::literal(#expr as f64));
        }
        (Known::Percent, Literal::Float(value)) if (0.0..=100.0).contains(value) => {
            return quote_spanned!(span=> <#ty>::literal(#expr));
        }
        (Known::Bytes, Literal::String(text)) if is_bytes(text) => {
            return quote_spanned!(span=> <#ty>::literal(#expr));
        }
        (Known::Path, Literal::String(text)) if text.is_empty() => {
            format!("{what} must not be an empty path")
        }
        (Known::Name, Literal::String(text)) if matches!(&**text, "" | "time") => {
            format!("{what} is \"{text}\", but {shown} cannot be \"{text}\"")
        }
        (Known::Name, Literal::String(_)) => return quote_spanned!(span=> <#ty>::literal(#expr)),
        (Known::String | Known::Path, Literal::String(_)) => {
            return quote_spanned!(span=> __udf::text::<#ty>(#expr));
        }
        (Known::Duration, Literal::String(text)) => match duration::nanos(text) {
            Ok(nanos) => return quote_spanned!(span=> __udf::Duration::from_nanos(#nanos)),
            Err(message) => message,
        },
        // A reference is an error already.
        (Known::Other, Literal::String(text))
            if !matches!(ty, Type::Reference(_)) && what != EXAMPLE =>
        {
            let variant = Case::Pascal.write(text);
            let path = match text.chars().all(char::is_alphabetic) {
                true => format!(", such as `{}::{variant}`", source(ty)),
                false => String::new(),
            };
            format!(
                "{what} is text, but the type is {shown}; add `parse` to parse the text, or write an \
                 expression of this type{path}"
            )
        }
        (Known::Other, _)
        | (Known::Int(_), Literal::Int(_))
        | (Known::Float, Literal::Float(_))
        | (Known::Bool, Literal::Bool(_))
        | (Known::Char, Literal::Char(_)) => return expr.to_token_stream(),
        (kind, _) => format!("{what} of {shown} must be {}", kind.example()),
    };
    errors.at(expr, error);
    expr.to_token_stream()
}

/// Returns whether text is a size. The syntax of `udf_runtime::options::Bytes`.
fn is_bytes(text: &str) -> bool {
    let unit = text.trim_start_matches(|char: char| char.is_ascii_digit());
    let units = ["", "b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib"];
    unit.len() < text.len() && units.contains(&&*unit.trim_start().to_lowercase())
}

/// Returns code as text.
pub(crate) fn source(tokens: impl ToTokens) -> String {
    show(tokens).trim_matches('`').to_owned()
}

/// Returns code in backquotes, for messages.
pub(crate) fn show(tokens: impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let text = text.replace(" <", "<").replace("< ", "<").replace(" >", ">").replace(" ,", ",");
    let text = text.replace(" :: ", "::").replace(":: ", "::");
    format!("`{}`", text.replace(" ..", "..").replace(".. ", "..").replace("..= ", "..="))
}
