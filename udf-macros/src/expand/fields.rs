//! The implementation of `Fields`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{function, name, never};
use crate::model::{Source, Typed};

pub(super) fn code(model: &Typed) -> TokenStream {
    let members = model.members.iter().filter_map(|member| {
        let Source::Field(name) = &member.source else { return None };
        let (ident, put) = (&member.ident, function("put", &member.ty));
        Some(quote!(#put(__udf_fields, #name, &self.#ident);))
    });
    implementation(model, &quote!(#(#members)*))
}

pub(super) fn stub(model: &Typed) -> TokenStream {
    implementation(model, &never())
}

fn implementation(model: &Typed, body: &TokenStream) -> TokenStream {
    let name = name(&model.ident);
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics __udf::Fields for #name #ty_generics #where_clause {
            fn put(&self, __udf_fields: &mut __udf::FieldWriter<'_>) {
                #body
            }
        }
    }
}
