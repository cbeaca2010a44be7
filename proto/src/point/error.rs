//! Errors of malformed points, and of missing fields and tags.

use super::FieldValue;

/// A malformed point: the problem, the member and the position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed point: {problem}{}, at byte {offset}", member_text(*.member))]
pub struct PointError {
    /// The problem.
    pub problem: Problem,
    /// The member of the message, as in `udf.proto`. None for an unknown member.
    pub member: Option<&'static str>,
    /// The start of the record of that member, in bytes from the start of the point.
    pub offset: usize,
}

fn member_text(member: Option<&str>) -> String {
    member.map_or(String::new(), |member| format!(" in `{member}`"))
}

/// Why bytes are not a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A string is not UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// A length, key or number is not a varint of at most 64 bits.
    #[error("an invalid varint")]
    BadVarint,
    /// A record is longer than the remaining bytes.
    #[error("a truncated record")]
    Cut,
    /// A known member has the wrong wire type.
    #[error("a value of the wrong wire type")]
    WrongType,
    /// The key of a record is invalid: the number 0, an unknown wire type, or more than 32 bits.
    #[error("a record without a valid key")]
    BadKey,
    /// A group ends without a start, or groups are nested too deeply.
    #[error("mismatched groups")]
    BadGroup,
    /// The point exceeds [`MAX_LIMIT`](crate::frame::MAX_LIMIT).
    #[error("more bytes than a point may have")]
    TooLong,
    /// The point has more than 65,536 dimensions, tags and fields together.
    #[error("more than 65536 dimensions, tags and fields")]
    TooManyEntries,
}

/// A field or tag that is missing, or that has another type than requested.
///
/// A handler returns this error with `?`. The UDF then decides what happens to the point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct FieldError {
    /// The requested name.
    pub field: String,
    /// Whether a tag was requested.
    pub is_tag: bool,
    /// The name of the point's measurement. Empty within a batch.
    pub measurement: String,
    /// The point's group. Empty if the point has none.
    pub group: String,
    /// The requested type in words, such as `a number` or `text`.
    pub expected: &'static str,
    /// The actual type of the field in words, such as `text`. None if the field is missing.
    pub found: Option<&'static str>,
}

impl FieldError {
    fn text(&self) -> String {
        let FieldError { field, is_tag, measurement, group, expected, found } = self;
        let kind = if *is_tag { "tag" } else { "field" };
        let mut text = "a point".to_owned();
        // Names may contain line breaks, but a log message is one line.
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
    /// Returns the type of the value in words.
    pub(super) fn type_text(self) -> &'static str {
        match self {
            FieldValue::Float(_) => "a float",
            FieldValue::Int(_) => "an integer",
            FieldValue::String(_) => "text",
            FieldValue::Bool(_) => "a boolean",
        }
    }
}
