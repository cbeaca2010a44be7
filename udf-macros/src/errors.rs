//! Every mistake of one macro call: all of them are reported, in one compile.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};

/// Collects mistakes. It has to be asked for them: what is noted cannot get lost.
pub(crate) struct Errors {
    noted: Option<Vec<Noted>>,
}

struct Noted {
    error: syn::Error,
    /// Whether rustc is expected to refuse it as well.
    refused: bool,
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

    /// Notes a mistake that rustc refuses in its own words, as far as can be seen: it is told only if rustc finds
    /// nothing at all.
    pub(crate) fn unless_refused(&mut self, tokens: impl ToTokens, message: impl Display) {
        let error = syn::Error::new_spanned(tokens, message);
        self.note(Noted { error, refused: true });
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.note(Noted { error, refused: false });
    }

    fn note(&mut self, noted: Noted) {
        self.noted.as_mut().expect("errors are noted before they are asked for").push(noted);
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
            noted.sort_by_key(|noted| {
                // The compiler's own span, which there is within it.
                let place = noted.error.span().unwrap();
                (place.line(), place.column())
            });
        }
        let tokens = noted.into_iter().map(|Noted { error, refused }| match refused {
            true => told_last(&error),
            false => error.to_compile_error(),
        });
        tokens.collect()
    }
}

/// Is told by a lint, which rustc comes to only when all else is right.
fn told_last(error: &syn::Error) -> TokenStream {
    let message = error.to_string();
    quote_spanned! {error.span()=>
        #[deny(unused_must_use)]
        const _: fn() = || {
            #[must_use = #message]
            struct Mistake;
            // What rustc suggests for `Mistake` alone would be of no help.
            (Mistake,);
        };
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
