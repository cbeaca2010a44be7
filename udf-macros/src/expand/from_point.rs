//! The implementation of `FromPoint`.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{GenericParam, Lifetime, LifetimeParam};

use super::{function, name, never};
use crate::model::{Source, Typed};

pub(super) fn code(model: &Typed) -> TokenStream {
    let members = model.members.iter().map(|member| {
        let (ident, ty) = (&member.ident, &member.ty);
        let (function, arguments, may_fail) = match &member.source {
            Source::Field(name) => ("field", quote!(__udf_point, #name), true),
            Source::Tag(name) => ("tag", quote!(__udf_point, #name), true),
            Source::Time => ("time", quote!(__udf_point), false),
            Source::Group => ("group", quote!(__udf_point), false),
            Source::Point => ("point", quote!(__udf_point), true),
        };
        let function = self::function(function, ty);
        // rustc reports at the type of the member that the member cannot borrow for so long.
        let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
        arguments.set_span(ty.span());
        let question = may_fail.then(|| quote!(?));
        quote!(#ident: #function #arguments #question)
    });
    let body = quote! {
        let _ = __udf_point;
        __udf::Ok(Self { #(#members),* })
    };
    implementation(model, &body)
}

pub(super) fn stub(model: &Typed) -> TokenStream {
    implementation(model, &never())
}

/// Borrows for the lifetime of the struct, or for a lifetime of the implementation.
fn implementation(model: &Typed, body: &TokenStream) -> TokenStream {
    let name = name(&model.ident);
    let (_, ty_generics, where_clause) = model.generics.split_for_impl();
    let mut parameters = model.generics.clone();
    let lifetime = match model.generics.lifetimes().next() {
        Some(borrowed) => borrowed.lifetime.clone(),
        None => {
            let own = Lifetime::new("'__udf_point", Span::mixed_site());
            let param = GenericParam::Lifetime(LifetimeParam::new(own.clone()));
            parameters.params.insert(0, param);
            own
        }
    };
    let (impl_generics, _, _) = parameters.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics __udf::FromPoint<#lifetime> for #name #ty_generics #where_clause {
            fn from_point(
                __udf_point: __udf::Point<#lifetime>,
            ) -> __udf::Result<Self, __udf::FieldError> {
                #body
            }
        }
    }
}
