//! Impls that stand in when something is wrong, so that no second error follows from the first.

use proc_macro2::TokenStream;
use quote::quote;

use super::udf::{edges, point};
use crate::model::Udf;

pub(super) fn udf(model: &Udf) -> TokenStream {
    let Udf { ident, generics, args, .. } = model;
    let krate = &args.krate;
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let (wants, provides) = edges(args);
    let point = point(args);
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::Udf for #ident #ty_generics #where_clause {
            const NAME: &'static ::core::primitive::str = "";
            const HELP: &'static ::core::primitive::str = "";
            const TICK: ::core::option::Option<#krate::__private::Duration> =
                ::core::option::Option::None;
            const ON_MISSING: #krate::__private::OnMissing = #krate::__private::OnMissing::Skip;
            type Wants = #wants;
            type Provides = #provides;
            type Input<'__point> = #point;
            fn from_options(
                _: &mut #krate::__private::OptionParser,
            ) -> ::core::option::Option<Self> {
                ::core::unimplemented!()
            }
            fn save(
                &self,
                _: &mut #krate::__private::StateWriter,
            ) -> #krate::__private::Result<()> {
                ::core::unimplemented!()
            }
            fn load(
                &mut self,
                _: &mut #krate::__private::StateReader<'_>,
            ) -> #krate::__private::Result<()> {
                ::core::unimplemented!()
            }
        }
    }
}
