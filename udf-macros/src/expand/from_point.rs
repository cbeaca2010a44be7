//! The implementation of `FromPoint`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{GenericParam, Lifetime, LifetimeParam};

use super::function;
use crate::model::{Source, Typed};

pub(super) fn code(model: &Typed) -> TokenStream {
    let krate = &model.krate;
    let members = model.members.iter().map(|member| {
        let (ident, ty) = (&member.ident, &member.ty);
        let value = match &member.source {
            Source::Field(name) => {
                let field = function(krate, "field", ty);
                quote!(#field(__point, #name)?)
            }
            Source::Tag(name) => {
                let tag = function(krate, "tag", ty);
                quote!(#tag(__point, #name)?)
            }
            Source::Time => {
                let time = function(krate, "time", ty);
                quote!(#time(__point))
            }
            Source::Group => {
                let group = function(krate, "group", ty);
                quote!(#group(__point))
            }
            Source::Point => {
                let point = function(krate, "point", ty);
                quote!(#point(__point)?)
            }
        };
        quote!(#ident: #value)
    });
    let body = quote! {
        let _ = __point;
        ::core::result::Result::Ok(Self { #(#members),* })
    };
    implementation(model, &body)
}

pub(super) fn stub(model: &Typed, errors: &[TokenStream]) -> TokenStream {
    let stub = implementation(model, &quote!(::core::unimplemented!()));
    quote!(#(#errors)* #stub)
}

/// What it borrows has the lifetime that it names, or one of ours.
fn implementation(model: &Typed, body: &TokenStream) -> TokenStream {
    let Typed { ident, generics, krate, .. } = model;
    let (_, ty_generics, where_clause) = generics.split_for_impl();
    let mut generics_of_impl = generics.clone();
    let lifetime = match generics.lifetimes().next() {
        Some(borrowed) => borrowed.lifetime.clone(),
        None => {
            let own = Lifetime::new("'__point", Span::mixed_site());
            let param = GenericParam::Lifetime(LifetimeParam::new(own.clone()));
            generics_of_impl.params.insert(0, param);
            own
        }
    };
    let (impl_generics, _, _) = generics_of_impl.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::FromPoint<#lifetime> for #ident #ty_generics
        #where_clause
        {
            fn from_point(
                __point: #krate::__private::Point<#lifetime>,
            ) -> ::core::result::Result<Self, #krate::__private::FieldError> {
                #body
            }
        }
    }
}
