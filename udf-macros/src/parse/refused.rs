//! Types that rustc refuses by themselves: mostly for their lifetimes.

use syn::{GenericArgument, Generics, Lifetime, PathArguments, Type};

/// Whether rustc refuses a member of this type: a lifetime in it is left out, or not declared, or it is a type that no
/// member can have.
pub(crate) fn refused(ty: &Type, generics: &Generics) -> bool {
    let mut refused = false;
    visit(ty, &mut |lifetime| {
        let known = lifetime.is_some_and(|lifetime| {
            let name = &lifetime.ident;
            name == "static" || generics.lifetimes().any(|known| known.lifetime.ident == *name)
        });
        refused |= !known;
    });
    refused
}

/// Shows every lifetime of the type; none where something is left out. What is within `fn` and `dyn` is not looked at, as
/// they may declare their own.
fn visit(ty: &Type, show: &mut impl FnMut(Option<&Lifetime>)) {
    match ty {
        Type::Array(array) => visit(&array.elem, show),
        Type::ImplTrait(_) | Type::Infer(_) => show(None),
        Type::Group(group) => visit(&group.elem, show),
        Type::Paren(paren) => visit(&paren.elem, show),
        Type::Slice(slice) => visit(&slice.elem, show),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|ty| visit(ty, show)),
        Type::Reference(reference) => {
            show(reference.lifetime.as_ref());
            visit(&reference.elem, show);
        }
        Type::Path(path) => {
            for segment in &path.path.segments {
                let PathArguments::AngleBracketed(arguments) = &segment.arguments else { continue };
                let mut shown = false;
                for argument in &arguments.args {
                    match argument {
                        GenericArgument::Lifetime(lifetime) => {
                            show(Some(lifetime));
                            shown = true;
                        }
                        GenericArgument::Type(ty) => visit(ty, show),
                        _ => {}
                    }
                }
                let of_std = |ty: &Type| match ty {
                    Type::Slice(_) => true,
                    Type::Path(path) => path.path.is_ident("str"),
                    _ => false,
                };
                let mut types = arguments.args.iter();
                let borrows = types
                    .any(|argument| matches!(argument, GenericArgument::Type(ty) if of_std(ty)));
                if segment.ident == "Cow" && borrows && !shown {
                    show(None);
                }
            }
        }
        _ => {}
    }
}
