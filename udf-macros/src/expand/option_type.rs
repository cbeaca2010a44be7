//! The implementation of `OptionType`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use super::{function, name, never, text};
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
    let members = types.iter().map(|ty| function("member", ty));
    let members: Vec<_> = members.map(|member| quote!(#member())).collect();
    let places = (0..members.len()).map(syn::Index::from);
    let count = members.len();
    let option_type = implementation(
        model,
        &Parts {
            raw: quote!(__udf::Arguments<Self>),
            is_plain: quote!(#(#members.plain())&&*),
            from_raw: quote! {
                let mut __udf_raw = __udf_raw.members(#count);
                __udf::Ok(Self(#(#members.make(&mut __udf_raw)?),*))
            },
            to_raw: quote! {
                let mut __udf_values = __udf::Vec::new();
                #(#members.put(&self.#places, &mut __udf_values);)*
                __udf::Arguments::new(__udf_values)
            },
            help: quote!(__udf::help_of([#(#members.help()),*])),
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
fn choice(model: &OptionType, choices: &[Choice]) -> TokenStream {
    let idents: Vec<_> = choices.iter().map(|choice| &choice.ident).collect();
    let names: Vec<_> = choices.iter().map(|choice| &choice.name.value).collect();
    let patterns = choices.iter().map(|choice| {
        let all = std::iter::once(&choice.name).chain(&choice.aliases).map(|name| &name.value);
        quote!(#(#all)|*)
    });
    let helps = choices.iter().map(|choice| text(&choice.help));
    let aliases = choices.iter().map(|choice| {
        let aliases = choice.aliases.iter().map(|alias| &alias.value);
        quote!(#(.alias(#aliases))*)
    });
    implementation(
        model,
        &Parts {
            raw: quote!(__udf::String),
            is_plain: quote!(true),
            from_raw: quote! {
                match __udf::String::as_str(&__udf_raw) {
                    #(#patterns => __udf::Ok(Self::#idents),)*
                    _ => __udf::Err(__udf::no_choice::<Self>()),
                }
            },
            to_raw: quote! {
                __udf::text::<__udf::String>(
                    match self { #(Self::#idents => #names,)* }
                )
            },
            help: quote!(__udf::Help::new()#(.choice(#names, #helps)#aliases)*),
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
