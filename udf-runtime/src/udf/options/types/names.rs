//! Options that name a field or a tag.

use std::fmt;
use std::ops::{Bound, Deref};

use udf_proto::Value;

use super::{Help, MustBe, OptionType};
use crate::agent::error::Result;
use crate::udf::options::limits::Limits;

/// The column of InfluxDB that holds the time of a point.
const TIME: &str = "time";

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $words:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Creates a name.
            ///
            /// # Errors
            /// When InfluxDB cannot store the name: it is empty, or `time`.
            pub fn new(name: impl Into<String>) -> Result<Self, MustBe> {
                let name = name.into();
                if name.is_empty() || name == TIME {
                    return Err(MustBe::new($words));
                }
                Ok($name(name))
            }

            /// Creates the name of a default, which the macro has checked.
            #[doc(hidden)]
            pub fn literal(name: &'static str) -> Self {
                $name(name.to_owned())
            }

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl OptionType for $name {
            type Raw = String;
            const IS_PLAIN: bool = true;

            fn from_raw(raw: String) -> Result<Self> {
                Ok($name::new(raw)?)
            }

            fn to_raw(&self) -> String {
                self.0.clone()
            }

            fn help() -> Help {
                let len = Limits::new(Bound::Included(Value::Int(1)), Bound::Unbounded);
                let help = Help { len, ..Help::whole() };
                help.must_be($words).example($example.to_owned())
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name! {
    /// The name of a field: an option that is a STRING, neither empty nor `time`.
    ///
    /// InfluxDB refuses the whole write if a field in it has an empty name, and stores no
    /// field named `time`. The type derefs to `str`.
    ///
    /// ```
    /// use udf_runtime::options::FieldName;
    /// use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};
    ///
    /// /// Doubles a field.
    /// #[udf(wants = stream, provides = stream)]
    /// struct Double {
    ///     #[option]
    ///     field: FieldName,
    ///     #[option(default = "double")]
    ///     r#as: FieldName,
    /// }
    ///
    /// impl StreamUdf for Double {
    ///     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
    ///         let value = point.number(&self.field)?;
    ///         Ok(out.edit(point).field(&self.r#as, 2.0 * value).send()?)
    ///     }
    /// }
    /// ```
    FieldName, "the name of a field, not empty or 'time'", "value"
}

name! {
    /// The name of a tag: an option that is a STRING, neither empty nor `time`.
    ///
    /// InfluxDB refuses the whole write if a tag in it has an empty name, and stores no tag
    /// named `time`. The type derefs to `str`, as [`FieldName`] does.
    TagName, "the name of a tag, not empty or 'time'", "host"
}
