//! The implementation of `OptionType`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Member, Type};

use super::{function, name, never, text};
use crate::model::{At, Choice, OptionShape, OptionType};
use crate::words::case::Case;

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
        OptionShape::Choices(choices, ignore_case) => choice(model, choices, *ignore_case),
        OptionShape::Struct(members) => members_of(model, members),
    }
}

/// Writes a struct as the arguments of its members. Only the bodies of functions name the types of
/// the members: these types may be private where the struct is public.
fn members_of(model: &OptionType, members: &[(Member, Type)]) -> TokenStream {
    let places: Vec<_> = members.iter().map(|(place, _)| place).collect();
    let names = places.iter().map(|place| match place {
        Member::Named(name) => Case::Camel.write(&name.unraw().to_string()),
        Member::Unnamed(_) => String::new(),
    });
    let names: Vec<_> = names.collect();
    let members = members.iter().map(|(_, ty)| function("member", ty));
    let members: Vec<_> = members.map(|member| quote!(#member())).collect();
    let count = members.len();
    let option_type = implementation(
        model,
        &Parts {
            raw: quote!(__udf::Arguments<Self>),
            is_plain: quote!(#(#members.plain())&&*),
            from_raw: quote! {
                let mut __udf_raw = __udf_raw.members(#count);
                __udf::Ok(Self { #(#places: #members.make(&mut __udf_raw)?),* })
            },
            to_raw: quote! {
                let mut __udf_values = __udf::Vec::new();
                #(#members.put(&self.#places, &mut __udf_values);)*
                __udf::Arguments::new(__udf_values)
            },
            help: quote!(__udf::help_of([#((#names, #members.help())),*])),
        },
    );
    let name = name(&model.ident);
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    quote! {
        #option_type
        #[automatically_derived]
        impl #impl_generics __udf::Members for #name #ty_generics #where_clause {
            fn types(__udf_types: &mut __udf::Vec<__udf::ValueType>) {
                #(#members.types(__udf_types);)*
            }
        }
    }
}

/// Writes an enum as the STRING of a variant.
fn choice(model: &OptionType, choices: &[Choice], ignore_case: bool) -> TokenStream {
    let idents: Vec<_> = choices.iter().map(|choice| &choice.ident).collect();
    let names: Vec<_> = choices.iter().map(|choice| &choice.name.value).collect();
    let patterns = choices.iter().map(|choice| {
        let all = std::iter::once(&choice.name).chain(&choice.aliases);
        let all = all.map(|At { value, .. }| match ignore_case {
            true => value.to_lowercase(),
            false => value.clone(),
        });
        quote!(#(#all)|*)
    });
    let helps = choices.iter().map(|choice| text(&choice.help));
    let aliases = choices.iter().map(|choice| {
        let aliases = choice.aliases.iter().map(|alias| &alias.value);
        quote!(#(.alias(#aliases))*)
    });
    let (text, ignores) = match ignore_case {
        true => (quote!(&*__udf::str::to_lowercase(&__udf_raw)), quote!(.ignore_case())),
        false => (quote!(__udf::String::as_str(&__udf_raw)), quote!()),
    };
    implementation(
        model,
        &Parts {
            raw: quote!(__udf::String),
            is_plain: quote!(true),
            from_raw: quote! {
                match #text {
                    #(#patterns => __udf::Ok(Self::#idents),)*
                    _ => __udf::Err(__udf::no_choice::<Self>()),
                }
            },
            to_raw: quote! {
                __udf::text::<__udf::String>(
                    match self { #(Self::#idents => #names,)* }
                )
            },
            help: quote!(__udf::Help::new()#(.choice(#names, #helps)#aliases)* #ignores),
        },
    )
}

pub(super) fn stub(model: &OptionType) -> TokenStream {
    implementation(
        model,
        &Parts {
            raw: quote!(__udf::String),
            is_plain: quote!(false),
            from_raw: never(),
            to_raw: never(),
            help: never(),
        },
    )
}

fn implementation(model: &OptionType, parts: &Parts) -> TokenStream {
    let Parts { raw, is_plain, from_raw, to_raw, help } = parts;
    let name = name(&model.ident);
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    // A variant may have the name of the associated type.
    let raw_of_self = quote!(<Self as __udf::OptionType>::Raw);
    quote! {
        #[automatically_derived]
        impl #impl_generics __udf::OptionType for #name #ty_generics #where_clause {
            type Raw = #raw;
            const IS_PLAIN: __udf::bool =
                #is_plain && !__udf::needs_drop::<Self>();
            fn from_raw(__udf_raw: #raw_of_self) -> __udf::Result<Self> {
                #from_raw
            }
            fn to_raw(&self) -> #raw_of_self {
                #to_raw
            }
            fn help() -> __udf::Help {
                #help
            }
        }
    }
}
