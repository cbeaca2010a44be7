//! The implementation of `OptionType`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Generics, Type, parse_quote};

use super::{function, generics, never, text};
use crate::model::{Choice, OptionShape, OptionType};
use crate::parse::{Known, known};

pub(super) fn code(model: &OptionType) -> TokenStream {
    match &model.shape {
        OptionShape::Choices(choices) => choice(model, choices),
        OptionShape::Tuple(types) => tuple(model, types),
    }
}

/// A tuple struct is what its members are.
fn tuple(model: &OptionType, types: &[Type]) -> TokenStream {
    let krate = &model.krate;
    let mut parts =
        Parts { model, bounded: model.generics.clone(), checked: Vec::new(), all_known: true };
    let members: Vec<_> = types.iter().map(|ty| parts.member(ty)).collect();
    let places: Vec<_> = (0..members.len()).map(syn::Index::from).collect();
    let (inner, make) = match &members[..] {
        [member] => (quote!(#member), quote!(Self(__udf_inner))),
        members => (quote!((#(#members,)*)), quote!(Self(#(__udf_inner.#places),*))),
    };
    let raws: Vec<_> = members
        .iter()
        .zip(&places)
        .map(|(member, place)| {
            quote!(<#member as #krate::__private::OptionType>::to_raw(&self.#place))
        })
        .collect();
    let hidden = model.is_public && !parts.all_known;
    let to_raw = match &raws[..] {
        [raw] => raw.clone(),
        raws if hidden => quote! {
            #krate::__private::several(|__udf_values| {
                #(#krate::options::TickValue::put(#raws, __udf_values);)*
            })
        },
        raws => quote!((#(#raws,)*)),
    };
    let raw = if hidden {
        // What is public cannot name a private type: so what is written for that is a parameter.
        parts.bounded.params.push(parse_quote!(__Raw: #krate::options::TickValue));
        let raw = quote!(#krate::__private::OptionType<Raw = __Raw>);
        generics::bound(&mut parts.bounded, &inner, &raw);
        quote!(__Raw)
    } else {
        quote!(<#inner as #krate::__private::OptionType>::Raw)
    };
    let code = implementation(
        model,
        &parts.bounded,
        &raw,
        &quote! {
            let __udf_inner = <#inner as #krate::__private::OptionType>::from_raw(__udf_raw)?;
            #krate::__private::Ok(#make)
        },
        &to_raw,
        &quote!(<#inner as #krate::__private::OptionType>::help()),
        &quote!(<#inner as #krate::__private::OptionType>::IS_PLAIN),
    );
    let checked = &parts.checked;
    match &checked[..] {
        [] => code,
        _ => quote! {
            const _: () = {
                #(#checked)*
                #code
            };
        },
    }
}

/// The types that the members are made of, as the implementation names them.
struct Parts<'m> {
    model: &'m OptionType,
    /// The generics, and what is asked of types that depend on them.
    bounded: Generics,
    /// Names for types that are checked.
    checked: Vec<TokenStream>,
    /// Whether there are only types of the language and parameters.
    all_known: bool,
}

impl Parts<'_> {
    /// The type of a member, in which names stand for its checked parts.
    fn member(&mut self, ty: &Type) -> TokenStream {
        match ty {
            Type::Array(array) => {
                let (elem, len) = (self.member(&array.elem), &array.len);
                quote!([#elem; #len])
            }
            Type::Group(inner) => self.member(&inner.elem),
            Type::Paren(inner) => self.member(&inner.elem),
            Type::Tuple(tuple) => {
                let members: Vec<_> = tuple.elems.iter().map(|ty| self.member(ty)).collect();
                quote!((#(#members,)*))
            }
            ty if is_plain(ty) => ty.to_token_stream(),
            ty if generics::depends(ty, &self.model.generics) => {
                let krate = &self.model.krate;
                self.all_known &= generics::parameter(ty, &self.model.generics).is_some();
                generics::bound(&mut self.bounded, ty, &quote!(#krate::__private::OptionType));
                ty.to_token_stream()
            }
            ty => self.checked(ty),
        }
    }

    /// A name for a type.
    ///
    /// If that can be no argument, it is told in the length of an array, of which rustc then knows that it is wrong:
    /// of what has this name, nothing is told any more.
    fn checked(&mut self, ty: &Type) -> TokenStream {
        let krate = &self.model.krate;
        self.all_known = false;
        let name = format_ident!("__Argument{}", self.checked.len(), span = Span::mixed_site());
        let check = function(krate, "argument", ty);
        self.checked.push(quote! {
            type #name = <[(); { #check(); 0 }] as #krate::__private::Checked<#ty>>::Type;
        });
        name.into_token_stream()
    }
}

/// Whether this is a type of the language or of its prelude, which can be an argument.
fn is_plain(ty: &Type) -> bool {
    matches!(known(ty), Known::Bool | Known::Int(_) | Known::Float | Known::Char | Known::String)
}

fn choice(model: &OptionType, choices: &[Choice]) -> TokenStream {
    let krate = &model.krate;
    let idents = choices.iter().map(|choice| &choice.ident);
    let patterns = choices.iter().map(|choice| {
        let all = std::iter::once(&choice.name).chain(&choice.aliases).map(|name| &name.value);
        quote!(#(#all)|*)
    });
    let made = quote! {
        match #krate::__private::String::as_str(&__udf_raw) {
            #(#patterns => #krate::__private::Ok(Self::#idents),)*
            _ => #krate::__private::Err(#krate::__private::no_choice::<Self>()),
        }
    };
    let idents = choices.iter().map(|choice| &choice.ident);
    let names = choices.iter().map(|choice| &choice.name.value);
    let to_raw = quote! {
        #krate::__private::text::<#krate::__private::String>(
            match self { #(Self::#idents => #names,)* }
        )
    };
    let names = choices.iter().map(|choice| &choice.name.value);
    let helps = choices.iter().map(|choice| text(&choice.help, krate));
    let aliases = choices.iter().map(|choice| {
        let aliases = choice.aliases.iter().map(|alias| &alias.value);
        quote!(#(.alias(#aliases))*)
    });
    let help = quote!(#krate::__private::Help::new()#(.choice(#names, #helps)#aliases)*);
    let raw = quote!(#krate::__private::String);
    implementation(model, &model.generics, &raw, &made, &to_raw, &help, &quote!(true))
}

pub(super) fn stub(model: &OptionType) -> TokenStream {
    let krate = &model.krate;
    let (raw, never) = (quote!(#krate::__private::String), never(krate));
    implementation(model, &model.generics, &raw, &never, &never, &never, &quote!(false))
}

fn implementation(
    model: &OptionType,
    parameters: &Generics,
    raw: &TokenStream,
    from_raw: &TokenStream,
    to_raw: &TokenStream,
    help: &TokenStream,
    is_plain: &TokenStream,
) -> TokenStream {
    let krate = &model.krate;
    let name = generics::name(&model.ident);
    let (impl_generics, _, where_clause) = parameters.split_for_impl();
    let (_, ty_generics, _) = model.generics.split_for_impl();
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
