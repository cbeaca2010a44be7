//! The implementation of `OptionType`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::{Choice, OptionShape, OptionType};

pub(super) fn code(model: &OptionType) -> TokenStream {
    let krate = &model.krate;
    match &model.shape {
        OptionShape::Choices(choices) => choice(model, choices),
        OptionShape::Tuple(types) => {
            let inner = match &types[..] {
                [ty] => quote_spanned!(ty.span()=> #ty),
                types => quote!((#(#types,)*)),
            };
            let places = (0..types.len()).map(syn::Index::from);
            let make = match types.len() {
                1 => quote!(Self(__inner)),
                _ => quote!(Self(#(__inner.#places),*)),
            };
            let places = (0..types.len()).map(syn::Index::from);
            let to_raw = match types.len() {
                1 => quote!(#krate::__private::OptionType::to_raw(&self.0)),
                _ => quote!((#(#krate::__private::OptionType::to_raw(&self.#places),)*)),
            };
            implementation(
                model,
                &quote!(<#inner as #krate::__private::OptionType>::Raw),
                &quote! {
                    let __inner = <#inner as #krate::__private::OptionType>::from_raw(__raw)?;
                    ::core::result::Result::Ok(#make)
                },
                &to_raw,
                &quote!(<#inner as #krate::__private::OptionType>::help()),
            )
        }
    }
}

fn choice(model: &OptionType, choices: &[Choice]) -> TokenStream {
    let krate = &model.krate;
    let idents = choices.iter().map(|choice| &choice.ident);
    let patterns = choices.iter().map(|choice| {
        let all = std::iter::once(&choice.name).chain(&choice.aliases).map(|name| &name.value);
        quote!(#(#all)|*)
    });
    let made = quote! {
        match ::std::string::String::as_str(&__raw) {
            #(#patterns => ::core::result::Result::Ok(Self::#idents),)*
            _ => ::core::result::Result::Err(#krate::__private::no_choice::<Self>()),
        }
    };
    let idents = choices.iter().map(|choice| &choice.ident);
    let names = choices.iter().map(|choice| &choice.name.value);
    let to_raw = quote! {
        <::std::string::String as ::core::convert::From<&::core::primitive::str>>::from(
            match self { #(Self::#idents => #names,)* }
        )
    };
    let names = choices.iter().map(|choice| &choice.name.value);
    let helps = choices.iter().map(|choice| &choice.help);
    let help = quote!(#krate::__private::Help::new()#(.choice(#names, #helps))*);
    implementation(model, &quote!(::std::string::String), &made, &to_raw, &help)
}

pub(super) fn stub(model: &OptionType, errors: &[TokenStream]) -> TokenStream {
    let todo = quote!(::core::unimplemented!());
    let stub = implementation(model, &quote!(::std::string::String), &todo, &todo, &todo);
    quote!(#(#errors)* #stub)
}

fn implementation(
    model: &OptionType,
    raw: &TokenStream,
    from_raw: &TokenStream,
    to_raw: &TokenStream,
    help: &TokenStream,
) -> TokenStream {
    let OptionType { ident, generics, krate, .. } = model;
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::OptionType for #ident #ty_generics #where_clause {
            type Raw = #raw;
            fn from_raw(__raw: Self::Raw) -> #krate::__private::Result<Self> {
                #from_raw
            }
            fn to_raw(&self) -> Self::Raw {
                #to_raw
            }
            fn help() -> #krate::__private::Help {
                #help
            }
        }
    }
}
