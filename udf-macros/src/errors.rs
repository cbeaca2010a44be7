//! The errors of one macro call. One compilation reports all of them.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Collects errors.
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    pub(crate) fn new() -> Self {
        Errors(Vec::new())
    }

    /// Notes an error at the tokens to edit.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    /// Returns the number of errors.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns a `compile_error!` for each error, in the order of their lines.
    pub(crate) fn into_code(mut self) -> Vec<TokenStream> {
        // In tests, outside of a compiler, spans have no order.
        if proc_macro::is_available() {
            self.0.sort_by_key(|error| {
                let place = error.span().unwrap();
                (place.line(), place.column())
            });
        }
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }
}
