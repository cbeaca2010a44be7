//! The implementation of `Fields`.

use proc_macro2::TokenStream;
use quote::quote;

use super::{function, generics, never};
use crate::model::{Calls, Source, Typed};
use crate::parse::calls;

pub(super) fn code(model: &Typed) -> TokenStream {
    let krate = &model.krate;
    let members = model.members.iter().filter_map(|member| {
        let Source::Field(name) = &member.source else { return None };
        let (ident, ty) = (&member.ident, &member.ty);
        let put = function(krate, "put", ty);
        Some(quote!(#put(__udf_fields, #name, &self.#ident);))
    });
    implementation(model, &quote!(#(#members)*))
}

pub(super) fn stub(model: &Typed) -> TokenStream {
    implementation(model, &never(&model.krate))
}

fn implementation(model: &Typed, body: &TokenStream) -> TokenStream {
    let krate = &model.krate;
    let name = generics::name(&model.ident);
    let mut parameters = model.generics.clone();
    for member in &model.members {
        let (calls, inner) = calls(&member.ty);
        let ty = if calls == Calls::AtMostOnce { &inner } else { &member.ty };
        if let Some(parameter) = generics::parameter(ty, &model.generics) {
            generics::bound(&mut parameters, parameter, &quote!(#krate::typed::ToField));
        }
    }
    let (impl_generics, ty_generics, where_clause) = parameters.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Fields for #name #ty_generics #where_clause {
            fn put(&self, __udf_fields: &mut #krate::__private::FieldWriter<'_>) {
                #body
            }
        }
    }
}
