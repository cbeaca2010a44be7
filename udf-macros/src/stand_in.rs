//! Types that rustc is given in the place of those that a field of a UDF cannot have.

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, GenericArgument, Lifetime, PathArguments, Type, parse_quote};

/// Gives rustc other types for fields that no UDF can have, so that it does not ask for what would be wrong, too: a
/// lifetime for `&str`. What was written is kept for the derive, which tells what to write.
pub(crate) fn stand_in(input: &mut DeriveInput) {
    let declared: Vec<Lifetime> =
        input.generics.lifetimes().map(|known| known.lifetime.clone()).collect();
    let Data::Struct(data) = &mut input.data else { return };
    for field in &mut data.fields {
        let written = field.ty.clone();
        if let Some(sized) = sized(&written) {
            field.ty = sized;
        } else if !state_lifetimes(&mut field.ty, &declared) {
            continue;
        }
        field.attrs.push(parse_quote!(#[__udf(#written)]));
    }
}

/// The type with a size that is as good for rustc as one that has none.
fn sized(ty: &Type) -> Option<Type> {
    Some(match ty {
        Type::Slice(slice) => {
            let elem = &slice.elem;
            parse_quote!(::std::vec::Vec<#elem>)
        }
        Type::Path(path) if path.path.is_ident("str") => parse_quote!(::std::string::String),
        _ => return None,
    })
}

/// Whether a lifetime was left out, or was `'_`, or is not declared, where a struct cannot have that.
fn state_lifetimes(ty: &mut Type, declared: &[Lifetime]) -> bool {
    match ty {
        Type::Array(array) => state_lifetimes(&mut array.elem, declared),
        Type::Group(group) => state_lifetimes(&mut group.elem, declared),
        Type::Paren(paren) => state_lifetimes(&mut paren.elem, declared),
        Type::Ptr(pointer) => state_lifetimes(&mut pointer.elem, declared),
        Type::Slice(slice) => state_lifetimes(&mut slice.elem, declared),
        Type::Tuple(tuple) => {
            tuple.elems.iter_mut().fold(false, |any, ty| state_lifetimes(ty, declared) | any)
        }
        Type::Reference(reference) => {
            let span = reference.and_token.span();
            let lifetime = reference.lifetime.get_or_insert_with(|| Lifetime::new("'_", span));
            state_lifetime(lifetime, declared) | state_lifetimes(&mut reference.elem, declared)
        }
        Type::Path(path) => {
            let segments = path.path.segments.iter_mut();
            let arguments = segments.filter_map(|segment| match &mut segment.arguments {
                PathArguments::AngleBracketed(arguments) => Some(&mut arguments.args),
                _ => None,
            });
            arguments.flatten().fold(false, |any, argument| match argument {
                GenericArgument::Type(ty) => state_lifetimes(ty, declared) | any,
                GenericArgument::Lifetime(lifetime) => state_lifetime(lifetime, declared) | any,
                _ => any,
            })
        }
        _ => false,
    }
}

fn state_lifetime(lifetime: &mut Lifetime, declared: &[Lifetime]) -> bool {
    let left_out = lifetime.ident != "static" && !declared.contains(lifetime);
    if left_out {
        lifetime.ident = Ident::new("static", lifetime.ident.span());
    }
    left_out
}
