//! Every error of one macro call: all of them are reported, in one compile.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Collects errors. Dropping it without `finish` panics, so that no error gets lost.
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

    /// Notes an error at a place.
    pub(crate) fn span(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.noted.as_mut().expect("errors are noted before they are taken").push(error);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.noted.as_ref().map_or(0, Vec::len)
    }

    /// A `compile_error!` for each, in the order of the places.
    pub(crate) fn finish(mut self) -> Vec<TokenStream> {
        let mut noted = self.noted.take().expect("errors are taken once");
        // Outside of a compiler, in tests, places have no order.
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
