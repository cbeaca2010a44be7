//! The errors of one macro call. One compilation reports all of them.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Collects errors. Panics when it is dropped without `finish`: an error would be lost.
pub(crate) struct Errors {
    noted: Option<Vec<syn::Error>>,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Errors { noted: Some(Vec::new()) }
    }

    /// Notes an error at the tokens to edit.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes an error at a span.
    pub(crate) fn span(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.noted.as_mut().expect("errors are noted before they are taken").push(error);
    }

    /// Returns the number of errors.
    pub(crate) fn count(&self) -> usize {
        self.noted.as_ref().map_or(0, Vec::len)
    }

    /// Returns a `compile_error!` for each error, in the order of their lines.
    pub(crate) fn finish(mut self) -> Vec<TokenStream> {
        let mut noted = self.noted.take().expect("errors are taken once");
        // In tests, outside of a compiler, spans have no order.
        if proc_macro::is_available() {
            noted.sort_by_key(|error| {
                let place = error.span().unwrap();
                (place.line(), place.column())
            });
        }
        noted.iter().map(syn::Error::to_compile_error).collect()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(
            self.noted.as_ref().is_none_or(Vec::is_empty) || std::thread::panicking(),
            "errors were noted and not taken"
        );
    }
}
