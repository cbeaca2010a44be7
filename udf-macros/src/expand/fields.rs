//! The implementation of `Fields`.

use proc_macro2::TokenStream;
use quote::quote;

use super::function;
use crate::model::{Source, Typed};

pub(super) fn code(model: &Typed) -> TokenStream {
    let krate = &model.krate;
    let members = model.members.iter().filter_map(|member| {
        let Source::Field(name) = &member.source else { return None };
        let (ident, ty) = (&member.ident, &member.ty);
        let put = function(krate, "put", ty);
        Some(quote!(#put(__fields, #name, &self.#ident);))
    });
    implementation(model, &quote!(#(#members)*))
}

pub(super) fn stub(model: &Typed, errors: &[TokenStream]) -> TokenStream {
    let stub = implementation(model, &quote!(let _ = __fields;));
    quote!(#(#errors)* #stub)
}

fn implementation(model: &Typed, body: &TokenStream) -> TokenStream {
    let Typed { ident, generics, krate, .. } = model;
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Fields for #ident #ty_generics #where_clause {
            fn put(&self, __fields: &mut #krate::__private::FieldWriter<'_>) {
                #body
            }
        }
    }
}
