//! The implementation of `FromPoint`.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{GenericParam, Generics, Lifetime, LifetimeParam};

use super::{function, generics, never};
use crate::model::{Calls, Source, Typed};
use crate::parse::calls;

pub(super) fn code(model: &Typed) -> TokenStream {
    let krate = &model.krate;
    let members = model.members.iter().map(|member| {
        let (ident, ty) = (&member.ident, &member.ty);
        let (function, arguments, may_fail) = match &member.source {
            Source::Field(name) => ("field", quote!(__udf_point, #name), true),
            Source::Tag(name) => ("tag", quote!(__udf_point, #name), true),
            Source::Time => ("time", quote!(__udf_point), false),
            Source::Group => ("group", quote!(__udf_point), false),
            Source::Point => ("point", quote!(__udf_point), true),
        };
        let function = self::function(krate, function, ty);
        // rustc reports at the type of the member that the member cannot borrow for so long.
        let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
        arguments.set_span(ty.span());
        let question = may_fail.then(|| quote!(?));
        let value = quote!(#function #arguments #question);
        quote!(#ident: #value)
    });
    let body = quote! {
        let _ = __udf_point;
        #krate::__private::Ok(Self { #(#members),* })
    };
    implementation(model, &body)
}

pub(super) fn stub(model: &Typed) -> TokenStream {
    implementation(model, &never(&model.krate))
}

/// Borrows for the lifetime of the struct, or for a lifetime of the implementation.
fn implementation(model: &Typed, body: &TokenStream) -> TokenStream {
    let krate = &model.krate;
    let name = generics::name(&model.ident);
    let (_, ty_generics, _) = model.generics.split_for_impl();
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
    bounds(model, &lifetime, &mut parameters);
    let (impl_generics, _, where_clause) = parameters.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::FromPoint<#lifetime> for #name #ty_generics
        #where_clause
        {
            fn from_point(
                __udf_point: #krate::__private::Point<#lifetime>,
            ) -> #krate::__private::Result<Self, #krate::__private::FieldError> {
                #body
            }
        }
    }
}

/// Adds bounds to the type parameters that members are, unless the author wrote bounds of them.
fn bounds(model: &Typed, lifetime: &Lifetime, parameters: &mut Generics) {
    let krate = &model.krate;
    for member in &model.members {
        let (ty, bound) = match (&member.source, calls(&member.ty)) {
            (Source::Field(_), (Calls::AtMostOnce, inner)) => (inner, quote!(FromField<#lifetime>)),
            (Source::Field(_), _) => (member.ty.clone(), quote!(FromField<#lifetime>)),
            (Source::Tag(_), (Calls::AtMostOnce, inner)) => (inner, quote!(FromTag<#lifetime>)),
            (Source::Tag(_) | Source::Group, _) => (member.ty.clone(), quote!(FromTag<#lifetime>)),
            (Source::Time, _) => (member.ty.clone(), quote!(FromTime)),
            (Source::Point, _) => continue,
        };
        if let Some(parameter) = generics::parameter(&ty, &model.generics)
            && !generics::is_bounded(parameter, &model.generics)
        {
            generics::bound(parameters, parameter, &quote!(#krate::typed::#bound));
        }
    }
}
