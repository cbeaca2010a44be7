//! Snapshots of the code that each macro emits, so that a review sees changes of it.
//!
//! After an intended change, renew them: `INSTA_UPDATE=always cargo test -p kapacitor-udf-macros`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{attribute, expand};

/// Compares the code with the snapshot of this name.
fn compare(name: &str, code: TokenStream) {
    let file = syn::parse2(code).expect("it is Rust");
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, prettyplease::unparse(&file)));
}

/// Compares the code of a derive, without the item itself.
macro_rules! snapshot {
    ($name:ident, $derive:path, $($item:tt)*) => {
        #[test]
        fn $name() {
            compare(stringify!($name), $derive(quote!($($item)*)));
        }
    };
}

#[test]
fn the_attribute_hands_its_item_to_a_derive() {
    let args = quote!(wants = stream, provides = batch, crate = renamed::runtime);
    let item = quote! {
        #[derive(Debug)]
        struct Example {
            #[cfg(unix)]
            #[option]
            size: u8,
            borrowed: Option<&str>,
            function: fn(&str) -> &str,
        }
    };
    compare("the_attribute", attribute::udf(args, item));
}

snapshot! {
    a_udf_with_every_attribute, expand::derive_udf,
    #[__udf(wants = stream, provides = batch, on_missing = fail, tick = e, point = Cpu<'_>, at_least_one_of(b, d), crate = renamed)]
    /// Has everything.
    struct Everything<T: Kind> where T: Send {
        /// A required option.
        #[option]
        r#as: String,
        #[option(name = "first", alias = "one", alias = "uno", default = (1, "a", "10s"), example = (2, "b", "20s"))]
        a: (f64, String, Duration),
        #[option(flag, conflicts = c, deprecated = "use `.c`")]
        b: bool,
        #[option(parse, default = "::1", validate = check, len = ..=40)]
        c: IpAddr,
        #[option(parse, requires(c, e))]
        d: Vec<IpAddr>,
        #[option(range = "1s".."1h")]
        e: Option<Duration>,
        #[option(default = 3, range = ..=MAX)]
        f: NonZeroU8,
        #[option(default)]
        g: T,
        #[option(above = 0.0, range = ..1.0)]
        i: f64,
        #[state(name = "seen")]
        h: u64,
        #[state(made_with(r#as, e), max = k)]
        j: Groups<u64>,
        #[option]
        k: usize,
        memory: Vec<u8>,
    }
}

snapshot! {
    a_udf_with_mistakes, expand::derive_udf,
    #[__udf(wants = batch, provides = batches)]
    struct Wrong<T> {
        #[option(defalt = 3)]
        size: T,
    }
}

snapshot! {
    an_enum, expand::derive_option_type,
    enum Level {
        /// All is well.
        Ok,
        #[option(name = "warning", alias = "warn")]
        Warning,
    }
}

snapshot! {
    a_tuple_struct, expand::derive_option_type,
    struct Interval(f64, Percent);
}

snapshot! {
    a_struct_made_of_a_point, expand::derive_from_point,
    struct Cpu<'p> {
        #[field(name = "usage_user")]
        user: f64,
        #[tag]
        host: Option<&'p str>,
        #[time]
        time: i64,
        #[group]
        group: &'p str,
        #[point]
        point: Point<'p>,
    }
}

snapshot! {
    a_struct_of_fields, expand::derive_fields,
    #[fields(rename_all = "camelCase")]
    struct Busy<'a> {
        is_high: bool,
        #[field(name = "why")]
        reason: &'a str,
        #[field(skip)]
        skipped: u8,
    }
}
