//! Types that borrow, and the types that own the same.

use syn::{GenericArgument, Lifetime, PathArguments, Type, TypePath, parse_quote};

/// The type that owns what this one borrows, if it is known to borrow. `static_too` says whether `'static` counts.
pub(crate) fn owned(ty: &Type, static_too: bool) -> Option<Type> {
    let mut owned = ty.clone();
    own(&mut owned, static_too).then_some(owned)
}

fn own(ty: &mut Type, static_too: bool) -> bool {
    let is_borrowed = |lifetime: Option<&Lifetime>| {
        static_too || lifetime.is_none_or(|lifetime| lifetime.ident != "static")
    };
    let replacement: Type = match ty {
        Type::Group(inner) => return own(&mut inner.elem, static_too),
        Type::Paren(inner) => return own(&mut inner.elem, static_too),
        Type::Array(array) => return own(&mut array.elem, static_too),
        Type::Tuple(tuple) => {
            return tuple.elems.iter_mut().fold(false, |any, ty| own(ty, static_too) | any);
        }
        Type::Reference(reference) if is_borrowed(reference.lifetime.as_ref()) => {
            let mut inner = (*reference.elem).clone();
            match &inner {
                Type::TraitObject(_) => parse_quote!(Box<#inner>),
                Type::Path(path) if is_named(path, "Path") => parse_quote!(PathBuf),
                Type::Path(path) if is_named(path, "OsStr") => parse_quote!(OsString),
                _ => {
                    own(&mut inner, static_too);
                    inner
                }
            }
        }
        Type::Slice(slice) => {
            own(&mut slice.elem, static_too);
            let elem = &slice.elem;
            parse_quote!(Vec<#elem>)
        }
        Type::Path(path) => {
            // Another type may have the name of one of ours.
            let is_ours =
                path.path.segments.first().is_some_and(|first| first.ident == "udf_runtime");
            let Some(last) = path.path.segments.last_mut() else { return false };
            let name = last.ident.to_string();
            let PathArguments::AngleBracketed(arguments) = &mut last.arguments else {
                *ty = match &*name {
                    "str" => parse_quote!(String),
                    "Point" if is_ours => parse_quote!(PointBuf),
                    _ => return false,
                };
                return true;
            };
            let lifetime = arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Lifetime(lifetime) => Some(lifetime.clone()),
                _ => None,
            });
            match (&*name, is_borrowed(lifetime.as_ref())) {
                ("Point", true) if lifetime.is_some() => parse_quote!(PointBuf),
                ("Cow", true) => {
                    let Some(GenericArgument::Type(inner)) = arguments.args.last_mut() else {
                        return false;
                    };
                    let mut inner = inner.clone();
                    own(&mut inner, static_too);
                    inner
                }
                ("Cow", false) => return false,
                _ => {
                    return arguments.args.iter_mut().fold(false, |any, argument| match argument {
                        GenericArgument::Type(ty) => own(ty, static_too) | any,
                        _ => any,
                    });
                }
            }
        }
        _ => return false,
    };
    *ty = replacement;
    true
}

fn is_named(path: &TypePath, name: &str) -> bool {
    path.path.segments.last().is_some_and(|last| last.ident == name)
}
