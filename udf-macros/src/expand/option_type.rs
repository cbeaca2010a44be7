//! The implementation of `OptionType`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use super::{function, generics, never, text};
use crate::model::{Choice, OptionShape, OptionType};

/// The parts of an implementation that depend on the shape of the type.
struct Parts {
    raw: TokenStream,
    is_plain: TokenStream,
    from_raw: TokenStream,
    to_raw: TokenStream,
    help: TokenStream,
}

pub(super) fn code(model: &OptionType) -> TokenStream {
    match &model.shape {
        OptionShape::Choices(choices) => choice(model, choices),
        OptionShape::Tuple(types) => tuple(model, types),
    }
}

/// Writes a tuple struct as the arguments of its members. Only the bodies of functions name the
/// types of the members: these types may be private where the struct is public.
fn tuple(model: &OptionType, types: &[Type]) -> TokenStream {
    let krate = &model.krate;
    let members = types.iter().map(|ty| {
        let member = function(krate, "member", ty);
        quote!(#member())
    });
    let members: Vec<_> = members.collect();
    let places = (0..members.len()).map(syn::Index::from);
    let count = members.len();
    let option_type = implementation(
        model,
        &Parts {
            raw: quote!(#krate::__private::Arguments<Self>),
            is_plain: quote!(#(#members.plain())&&*),
            from_raw: quote! {
                let mut __udf_raw = __udf_raw.members(#count);
                #krate::__private::Ok(Self(#(#members.make(&mut __udf_raw)?),*))
            },
            to_raw: quote! {
                let mut __udf_values = #krate::__private::Vec::new();
                #(#members.put(&self.#places, &mut __udf_values);)*
                #krate::__private::Arguments::new(__udf_values)
            },
            help: quote!(#krate::__private::help_of([#(#members.help()),*])),
        },
    );
    let name = generics::name(&model.ident);
    let parameters = generics::with_bound(&model.generics, &quote!(#krate::__private::OptionType));
    let (impl_generics, ty_generics, where_clause) = parameters.split_for_impl();
    quote! {
        #option_type
        #[automatically_derived]
        impl #impl_generics #krate::__private::Members for #name #ty_generics #where_clause {
            fn types(__udf_types: &mut #krate::__private::Vec<#krate::__private::ValueType>) {
                #(#members.types(__udf_types);)*
            }
        }
    }
}

/// Writes an enum as the STRING of a variant.
fn choice(model: &OptionType, choices: &[Choice]) -> TokenStream {
    let krate = &model.krate;
    let idents: Vec<_> = choices.iter().map(|choice| &choice.ident).collect();
    let names: Vec<_> = choices.iter().map(|choice| &choice.name.value).collect();
    let patterns = choices.iter().map(|choice| {
        let all = std::iter::once(&choice.name).chain(&choice.aliases).map(|name| &name.value);
        quote!(#(#all)|*)
    });
    let helps = choices.iter().map(|choice| text(&choice.help, krate));
    let aliases = choices.iter().map(|choice| {
        let aliases = choice.aliases.iter().map(|alias| &alias.value);
        quote!(#(.alias(#aliases))*)
    });
    implementation(
        model,
        &Parts {
            raw: quote!(#krate::__private::String),
            is_plain: quote!(true),
            from_raw: quote! {
                match #krate::__private::String::as_str(&__udf_raw) {
                    #(#patterns => #krate::__private::Ok(Self::#idents),)*
                    _ => #krate::__private::Err(#krate::__private::no_choice::<Self>()),
                }
            },
            to_raw: quote! {
                #krate::__private::text::<#krate::__private::String>(
                    match self { #(Self::#idents => #names,)* }
                )
            },
            help: quote!(#krate::__private::Help::new()#(.choice(#names, #helps)#aliases)*),
        },
    )
}

pub(super) fn stub(model: &OptionType) -> TokenStream {
    let never = || never(&model.krate);
    let krate = &model.krate;
    implementation(
        model,
        &Parts {
            raw: quote!(#krate::__private::String),
            is_plain: quote!(false),
            from_raw: never(),
            to_raw: never(),
            help: never(),
        },
    )
}

fn implementation(model: &OptionType, parts: &Parts) -> TokenStream {
    let krate = &model.krate;
    let Parts { raw, is_plain, from_raw, to_raw, help } = parts;
    let name = generics::name(&model.ident);
    let parameters = generics::with_bound(&model.generics, &quote!(#krate::__private::OptionType));
    let (impl_generics, ty_generics, where_clause) = parameters.split_for_impl();
    // A variant may have the name of the associated type.
    let raw_of_self = quote!(<Self as #krate::__private::OptionType>::Raw);
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::__private::OptionType for #name #ty_generics #where_clause {
            type Raw = #raw;
            const IS_PLAIN: #krate::__private::bool =
                #is_plain && !#krate::__private::needs_drop::<Self>();
            fn from_raw(__udf_raw: #raw_of_self) -> #krate::__private::Result<Self> {
                #from_raw
            }
            fn to_raw(&self) -> #raw_of_self {
                #to_raw
            }
            fn help() -> #krate::__private::Help {
                #help
            }
        }
    }
}
