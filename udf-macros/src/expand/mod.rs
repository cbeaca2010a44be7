//! From the model to code, or to stubs when something is wrong. It cannot fail.

mod stub;
mod udf;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;
use crate::{check, parse};

pub(crate) fn derive_udf(item: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::new();
    let model = parse::udf(input, &mut errors);
    check::check(&model, &mut errors);
    match errors.finish() {
        None => udf::udf(&model),
        Some(errors) => {
            let stub = stub::udf(&model);
            quote::quote!(#errors #stub)
        }
    }
}
