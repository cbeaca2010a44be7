//! `#[udf(...)]`: emits the item with a derive, which sees the fields after `#[cfg]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::errors::Errors;
use crate::model::Runtime;
use crate::parse::{A_STRUCT, entries, runtime, tables};

pub(crate) fn udf(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    match syn::parse2::<DeriveInput>(item.clone()) {
        Ok(input) => {
            let mut paths = input.attrs.iter().map(|attr| attr.path());
            if let Some(second) = paths.find(|path| path.is_ident("udf") || path.is_ident("__udf"))
            {
                errors.at(second, "duplicate `#[udf]`; remove one");
            }
        }
        // The derive reports the syntax error.
        Err(_) if item.clone().into_iter().any(|token| token.to_string() == "struct") => {}
        Err(_) => {
            let first = item.clone().into_iter().next();
            errors.at(first, A_STRUCT);
        }
    }
    if errors.count() > 0 {
        let errors = errors.into_code();
        return quote!(#item #(#errors)*);
    }
    // The derive reads the arguments again and reports their errors.
    let Runtime(runtime) = runtime(&entries(args.clone(), tables::UDF, &mut errors), &mut errors);
    quote! {
        #[derive(#runtime::__private::__Udf)]
        #[__udf(#args)]
        #item
    }
}
