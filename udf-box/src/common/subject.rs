//! The values that a UDF counts: those of a tag, or those of a field.

use std::borrow::Cow;

use udf_runtime::options::{FieldName, TagName};
use udf_runtime::{FieldError, FieldValue, Point};

/// The longest value in bytes. Longer values that begin alike count as one.
pub(crate) const LONGEST: usize = 256;

/// Returns the value of the field, or of the tag if there is no field. A whole number has the same
/// text as an integer and as a float, because a series may switch between both.
pub(crate) fn value<'a>(
    point: &Point<'a>,
    field: Option<&FieldName>,
    tag: Option<&TagName>,
) -> Result<Cow<'a, str>, FieldError> {
    let Some(name) = field else {
        let name = tag.map_or("", |tag| tag);
        return point.tag(name).map(|text| cut(text).into()).ok_or_else(|| point.no_tag(name));
    };
    match point.field(name) {
        Some(FieldValue::String(text)) => Ok(cut(text).into()),
        Some(FieldValue::Bool(value)) => Ok(if value { "true" } else { "false" }.into()),
        Some(FieldValue::Int(value)) => Ok(value.to_string().into()),
        Some(FieldValue::Float(value)) if value.is_finite() => Ok(value.to_string().into()),
        _ => Err(point.no_field(name, "a value")),
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}
