//! Every mistake of one macro call: all of them are reported, in one compile.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Collects mistakes. It has to be asked for them: what is noted cannot get lost.
pub(crate) struct Errors {
    noted: Option<Vec<syn::Error>>,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Errors { noted: Some(Vec::new()) }
    }

    /// Notes a mistake at the tokens that are to be edited.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes a mistake at a place.
    pub(crate) fn span(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.noted.as_mut().expect("errors are noted before they are asked for").push(error);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.noted.as_ref().map_or(0, Vec::len)
    }

    /// What is to be emitted for each, in the order of the places.
    pub(crate) fn finish(mut self) -> Vec<TokenStream> {
        let mut noted = self.noted.take().expect("errors are asked for once");
        // Outside of a compiler, in tests, places have no order.
        if proc_macro::is_available() {
            noted.sort_by_key(|error| {
                let place = error.span().unwrap();
                (place.line(), place.column())
            });
        }
        noted.into_iter().map(|error| error.to_compile_error()).collect()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(
            self.noted.as_ref().is_none_or(Vec::is_empty) || std::thread::panicking(),
            "errors were noted and not asked for"
        );
    }
}
