//! Types that are known by their names, so that their values are checked here.
//!
//! rustc checks the values of other types, such as an alias.

use syn::{GenericArgument, PathArguments, Type};

use crate::model::Calls;

/// A type, as far as its name shows.
#[derive(Clone)]
pub(crate) enum Known {
    Bool,
    Int(Int),
    NonZero(Int),
    Float,
    String,
    Char,
    Path,
    /// `FieldName` or `TagName`.
    Name,
    Bytes,
    Percent,
    Duration,
    Tuple(Vec<Type>),
    Array(Type),
    Other,
}

/// An integer type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Int {
    pub(crate) name: &'static str,
    pub(crate) min: i128,
    pub(crate) max: i128,
}

const INTS: [Int; 10] = [
    Int { name: "i8", min: i8::MIN as i128, max: i8::MAX as i128 },
    Int { name: "i16", min: i16::MIN as i128, max: i16::MAX as i128 },
    Int { name: "i32", min: i32::MIN as i128, max: i32::MAX as i128 },
    Int { name: "i64", min: i64::MIN as i128, max: i64::MAX as i128 },
    Int { name: "isize", min: i64::MIN as i128, max: i64::MAX as i128 },
    Int { name: "u8", min: 0, max: u8::MAX as i128 },
    Int { name: "u16", min: 0, max: u16::MAX as i128 },
    Int { name: "u32", min: 0, max: u32::MAX as i128 },
    // Kapacitor's integers have 64 bits with a sign.
    Int { name: "u64", min: 0, max: i64::MAX as i128 },
    Int { name: "usize", min: 0, max: i64::MAX as i128 },
];

pub(crate) fn known(ty: &Type) -> Known {
    match ty {
        Type::Tuple(tuple) => Known::Tuple(tuple.elems.iter().cloned().collect()),
        Type::Array(array) => Known::Array((*array.elem).clone()),
        Type::Paren(inner) => known(&inner.elem),
        Type::Group(inner) => known(&inner.elem),
        _ => {
            let Some((name, arguments)) = named(ty) else { return Known::Other };
            let int = |name: &str| INTS.into_iter().find(|int| int.name == name);
            match &*name {
                "bool" => Known::Bool,
                "f32" | "f64" => Known::Float,
                "String" => Known::String,
                "char" => Known::Char,
                "PathBuf" => Known::Path,
                "FieldName" | "TagName" => Known::Name,
                "Bytes" => Known::Bytes,
                "Percent" => Known::Percent,
                "Duration" => Known::Duration,
                "NonZero" => match arguments.first().map(known) {
                    Some(Known::Int(int)) => Known::NonZero(int),
                    _ => Known::Other,
                },
                name => match (int(name), name.strip_prefix("NonZero")) {
                    (Some(int), _) => Known::Int(int),
                    (None, Some(of)) => {
                        int(&of.to_lowercase()).map_or(Known::Other, Known::NonZero)
                    }
                    (None, None) => Known::Other,
                },
            }
        }
    }
}

/// Returns the last segment of the path of a type of the standard library or in scope, and its
/// arguments.
fn named(ty: &Type) -> Option<(String, Vec<Type>)> {
    let path = match ty {
        Type::Path(path) => path,
        // The type came through a `macro_rules!`.
        Type::Group(inner) => return named(&inner.elem),
        Type::Paren(inner) => return named(&inner.elem),
        _ => return None,
    };
    let segments = &path.path.segments;
    let first = segments.first()?;
    let last = segments.last()?;
    let is_ours =
        ["Bytes", "FieldName", "Percent", "TagName"].iter().any(|ours| last.ident == ours);
    let of_std = ["std", "core", "alloc", "time", "path", "num", "string", "vec", "option"]
        .iter()
        .any(|root| first.ident == root);
    if path.qself.is_some() || segments.len() > 1 && !of_std && !is_ours {
        return None;
    }
    let arguments = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((last.ident.to_string(), arguments))
}

/// Returns how often a field of this type is called, as far as the name of the type shows, and the
/// type of one call.
pub(crate) fn calls(ty: &Type) -> (Calls, Type) {
    match named(ty) {
        Some((name, arguments)) if arguments.len() == 1 && name == "Option" => {
            (Calls::AtMostOnce, arguments[0].clone())
        }
        Some((name, arguments)) if arguments.len() == 1 && name == "Vec" => {
            (Calls::Any, arguments[0].clone())
        }
        _ => (Calls::Once, ty.clone()),
    }
}

impl Known {
    /// Returns whether the type is Rust's own. The author may have a type with the name of a type
    /// of the runtime, such as `Percent`, and make it an option with `parse`.
    pub(crate) fn is_of_rust(&self) -> bool {
        !matches!(self, Known::Name | Known::Bytes | Known::Percent | Known::Other)
    }

    /// Returns an example of a default of this type, for messages.
    pub(crate) fn example(&self) -> &'static str {
        match self {
            Known::Bool => "a boolean, such as `true`",
            Known::Int(_) | Known::NonZero(_) => "an integer, such as `10`",
            Known::Float => "a float, such as `1.5`",
            Known::String => "text, such as `\"text\"`",
            Known::Char => "a character, such as `'x'`",
            Known::Path => "a path as text, such as `\"/tmp/file\"`",
            Known::Name => "a name as text, such as `\"usage\"`",
            Known::Bytes => "a size as text, such as `\"10MiB\"`",
            Known::Percent => "a percentage from 0 to 100, such as `12.5`",
            Known::Duration => "a duration as text, such as `\"10s\"`",
            Known::Tuple(_) => "a tuple, such as `(1, 2)`",
            Known::Array(_) => "an array, such as `[1, 2]`",
            Known::Other => "a value",
        }
    }
}
