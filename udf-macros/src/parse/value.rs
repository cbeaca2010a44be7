//! Values in attributes. A literal is checked against the type of the field, if that is known.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprUnary, Lit, LitFloat, Type, UnOp};

use super::types::{Int, Known, known};
use crate::errors::Errors;
use crate::words::case::Case;
use crate::words::duration;

/// The name of an example in messages.
pub(super) const EXAMPLE: &str = "its example";

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

impl Literal {
    fn describe(&self) -> &'static str {
        match self {
            Literal::Bool(_) => "a boolean",
            Literal::Int(_) => "an integer",
            Literal::Float(_) => "a float",
            Literal::String(_) => "text",
            Literal::Char(_) => "a character",
            Literal::Other => "a literal of another type",
        }
    }
}

/// Returns whether no code of the author runs for an expression. Such an expression is a literal, an
/// operator with literals, the path of a constant or a variant, or a tuple, an array or a tuple struct
/// of these.
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
        expr => is_of_literals(expr),
    }
}

fn is_of_literals(expr: &Expr) -> bool {
    match plain(expr) {
        Expr::Lit(_) => true,
        Expr::Unary(unary) => is_of_literals(&unary.expr),
        Expr::Binary(binary) => is_of_literals(&binary.left) && is_of_literals(&binary.right),
        _ => false,
    }
}

/// Returns the arguments that a TICKscript writes for an example, if it is the text of a parsed option,
/// or literals for a type that is not known here.
pub(crate) fn as_arguments(expr: &Expr, ty: &Type, parsed: bool) -> Option<Vec<Literal>> {
    if !parsed && !matches!(known(ty), Known::Other) {
        return None;
    }
    let all: Vec<&Expr> = match plain(expr) {
        Expr::Tuple(tuple) => tuple.elems.iter().collect(),
        Expr::Array(array) => array.elems.iter().collect(),
        one => vec![one],
    };
    all.into_iter().map(literal).collect()
}

/// Checks values against a type, and returns expressions of this type.
pub(super) struct Lower<'a> {
    /// The name of the value in messages: `its default`.
    pub(super) what: &'a str,
    pub(super) krate: &'a TokenStream,
}

impl Lower<'_> {
    /// Returns the expression of the type: `"10s"` becomes a Duration, `1` a float for a float.
    pub(super) fn value(&self, expr: &Expr, ty: &Type, errors: &mut Errors) -> TokenStream {
        let (kind, what) = (known(ty), self.what);
        if let Some(literal) = literal(expr) {
            return self.literal(expr, &literal, &kind, ty, errors);
        }
        match (&kind, plain(expr)) {
            (Known::String | Known::Path | Known::Name | Known::Duration, Expr::Path(path))
                if path.path.get_ident().is_some_and(is_word) =>
            {
                let word = path.path.to_token_stream();
                let message = format!("{what} is text, which is in quotes: write `\"{word}\"`");
                errors.at(expr, message);
            }
            (Known::Tuple(types), Expr::Tuple(tuple)) if tuple.elems.len() != types.len() => {
                let (are, should) = (tuple.elems.len(), types.len());
                errors.at(expr, format_args!("{what} has {are} values, its type has {should}"));
            }
            (Known::Tuple(types), Expr::Tuple(tuple)) => {
                let parts = tuple.elems.iter().zip(types).map(|(e, ty)| self.value(e, ty, errors));
                let parts: Vec<_> = parts.collect();
                return quote_spanned!(expr.span()=> (#(#parts,)*));
            }
            (Known::Array(ty), Expr::Array(array)) => {
                let parts = array.elems.iter().map(|expr| self.value(expr, ty, errors));
                let parts: Vec<_> = parts.collect();
                return quote_spanned!(expr.span()=> [#(#parts),*]);
            }
            _ => {}
        }
        expr.to_token_stream()
    }

    fn literal(
        &self,
        expr: &Expr,
        literal: &Literal,
        kind: &Known,
        ty: &Type,
        errors: &mut Errors,
    ) -> TokenStream {
        let (what, krate, span) = (self.what, self.krate, expr.span());
        match (kind, literal) {
            (Known::Int(int), Literal::Int(value)) => self.fits(expr, *value, *int, errors),
            (Known::NonZero(_), Literal::Int(0)) => {
                errors.at(expr, format_args!("{what} is 0, which {} cannot be", show(ty)));
            }
            (Known::NonZero(int), Literal::Int(value)) => {
                self.fits(expr, *value, *int, errors);
                return quote_spanned!(span=> const { <#ty>::new(#expr).expect("it is not 0") });
            }
            (Known::Float, Literal::Int(value)) => {
                let float = LitFloat::new(&format!("{}.0", value.unsigned_abs()), span);
                let sign = (*value < 0).then(|| quote!(-));
                return quote!(#sign #float);
            }
            (Known::Path, Literal::String(text)) if text.is_empty() => {
                errors.at(expr, format_args!("{what} is empty, which no path is"));
            }
            (Known::Name, Literal::String(text)) => {
                if matches!(&**text, "" | "time") {
                    let came = expr.to_token_stream();
                    errors.at(expr, format_args!("{what} is {came}, which {} cannot be", show(ty)));
                }
                return quote_spanned!(span=> <#ty>::literal(#expr));
            }
            // A reference is an error already.
            (Known::Other, Literal::String(text))
                if !matches!(ty, Type::Reference(_)) && what != EXAMPLE =>
            {
                let ty = show(ty);
                let mut message = format!(
                    "{what} is text, and {ty} is not known to be; with `parse`, text is parsed, else write \
                     an expression of type {ty}"
                );
                if text.chars().all(char::is_alphabetic) {
                    let (name, variant) = (ty.trim_matches('`'), Case::Pascal.write(text));
                    message += &format!(", such as `{name}::{variant}`");
                }
                errors.at(expr, message);
            }
            (Known::Other, _)
            | (Known::Float, Literal::Float(_))
            | (Known::Bool, Literal::Bool(_))
            | (Known::Char, Literal::Char(_)) => {}
            (Known::String | Known::Path, Literal::String(_)) => {
                return quote_spanned!(span=> #krate::__private::text::<#ty>(#expr));
            }
            (Known::Duration, Literal::String(text)) => match duration::nanos(text) {
                Ok(nanos) => {
                    return quote_spanned!(span=> #krate::__private::Duration::from_nanos(#nanos));
                }
                Err(message) => errors.at(expr, message),
            },
            (kind, literal) => {
                let (came, wanted) = (literal.describe(), kind.example());
                errors.at(expr, format_args!("{what} is {came}, but {} takes {wanted}", show(ty)));
            }
        }
        expr.to_token_stream()
    }

    fn fits(&self, expr: &Expr, value: i128, int: Int, errors: &mut Errors) {
        if value < int.min || value > int.max {
            let Int { name, min, max } = int;
            let what = self.what;
            let message = format!("{what} is {value}, but {name} goes from {min} to {max}");
            errors.at(expr, message);
        }
    }
}

/// Returns whether a name is in lower case. The name of a constant is in upper case.
fn is_word(name: &Ident) -> bool {
    name.to_string().starts_with(char::is_lowercase)
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
