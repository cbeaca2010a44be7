//! What can be wrong with the bytes of a point, and with a field that is asked for.

use super::FieldValue;

/// Bytes that are not a point: what is wrong, in which member, at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed point: {problem}{}, at byte {offset}", member_text(*.member))]
pub struct PointError {
    /// What is wrong.
    pub problem: Problem,
    /// The member of the message, as `udf.proto` names it; none if it is not one of those.
    pub member: Option<&'static str>,
    /// Where the record of that member begins, in bytes from the start of the point.
    pub offset: usize,
}

fn member_text(member: Option<&str>) -> String {
    member.map_or(String::new(), |member| format!(" in `{member}`"))
}

/// What is wrong with the bytes of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A string is not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// A length, key or number is no varint of at most 64 bits.
    #[error("a number that does not end")]
    BadVarint,
    /// A record is longer than what is left.
    #[error("a record that is cut short")]
    Cut,
    /// A known member is encoded as another type.
    #[error("a value of the wrong wire type")]
    WrongType,
    /// The key of a record is no key: number 0, an unknown wire type, over 32 bits.
    #[error("a record without a valid key")]
    BadKey,
    /// A group ends that was not begun, or groups are nested too deeply.
    #[error("groups that do not fit together")]
    BadGroup,
    /// The point is over [`MAX_LIMIT`](crate::frame::MAX_LIMIT).
    #[error("more bytes than a point may have")]
    TooLong,
    /// The point has over a million dimensions, tags and fields.
    #[error("more dimensions, tags and fields than a point may have")]
    TooManyEntries,
}

/// A field or tag that a handler asked for and that this point cannot give.
///
/// A handler passes it on with `?`; what happens to the point is then up to its UDF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct FieldError {
    /// The name that was asked for.
    pub field: String,
    /// Whether it was asked for as a tag.
    pub is_tag: bool,
    /// The name of the point's measurement; empty within a batch.
    pub measurement: String,
    /// The point's group; empty when it is in none.
    pub group: String,
    /// What would have done, `a number` or `text`.
    pub expected: &'static str,
    /// The type of the field that is there, `text`; none when there is no such field.
    pub found: Option<&'static str>,
}

impl FieldError {
    fn text(&self) -> String {
        let FieldError { field, is_tag, measurement, group, expected, found } = self;
        let kind = if *is_tag { "tag" } else { "field" };
        let mut text = "a point".to_owned();
        // Names are data, which may hold line breaks; a log has one line for each message.
        if !measurement.is_empty() {
            text += &format!(" of `{}`", measurement.escape_debug());
        }
        if !group.is_empty() {
            text += &format!(" in group `{}`", group.escape_debug());
        }
        let field = field.escape_debug();
        match found {
            Some(found) => {
                text + &format!(" has a {kind} `{field}` that is {found}, not {expected}")
            }
            None => text + &format!(" has no {kind} `{field}`"),
        }
    }
}

impl FieldValue<'_> {
    /// The value's type in words.
    pub(super) fn type_text(self) -> &'static str {
        match self {
            FieldValue::Float(_) => "a float",
            FieldValue::Int(_) => "an integer",
            FieldValue::String(_) => "text",
            FieldValue::Bool(_) => "a boolean",
        }
    }
}
