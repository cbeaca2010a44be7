//! Parts of a text, as fields and tags.

use regex::{Captures, Regex};
use udf_runtime::options::{FieldName, Help, MustBe, OptionType, TagName};
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::unmatched::Unmatched;

/// Parts of a text as fields and tags, by a regular expression.
#[udf(wants = stream, provides = stream, at_least_one_of(field, tag))]
pub struct Extract {
    /// Field with the text.
    #[option(conflicts = tag)]
    field: Option<FieldName>,
    /// Tag with the text.
    #[option]
    tag: Option<TagName>,
    /// Regular expression. Each named part, such as `(?<code>[0-9]+)`, becomes a field of this name.
    #[option]
    pattern: Pattern,
    /// Named part that becomes a tag. Call it once for each tag.
    #[option(len = ..=100, example = "method")]
    as_tag: Vec<TagName>,
    /// Named part that becomes an integer. Call it once for each field.
    #[option(len = ..=100, example = "code")]
    as_int: Vec<FieldName>,
    /// Named part that becomes a float. Call it once for each field.
    #[option(len = ..=100, example = "seconds")]
    as_float: Vec<FieldName>,
    /// What happens to a point whose text does not match.
    #[option(default = Unmatched::Pass)]
    unmatched: Unmatched,
    /// The named parts, and what they become.
    parts: Vec<(String, Part)>,
}

/// What a part of the text becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Text,
    Int,
    Float,
    Tag,
}

/// The memory of a compiled expression in bytes.
const LARGEST: usize = 1 << 20;

/// A regular expression with named parts.
struct Pattern(Regex);

impl OptionType for Pattern {
    type Raw = String;

    fn from_raw(raw: String) -> Result<Self> {
        let pattern = regex::RegexBuilder::new(&raw).size_limit(LARGEST).build();
        let pattern = pattern.map_err(|error| {
            // The last line has the reason. The lines before point into the expression.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            MustBe::new(format!("a valid regular expression: {reason}"))
        })?;
        match pattern.capture_names().flatten().next() {
            Some(_) => Ok(Pattern(pattern)),
            None => Err(MustBe::new(
                "a regular expression with a named part, such as `(?<code>[0-9]+)`",
            )
            .into()),
        }
    }

    fn to_raw(&self) -> String {
        self.0.as_str().to_owned()
    }

    fn help() -> Help {
        Help::new()
            .must_be("a regular expression with a named part")
            .example("(?<method>[A-Z]+) (?<path>[^ ]+)".to_owned())
    }
}

impl Extract {
    /// Returns the part that an option names, and what it becomes.
    fn becomes(&self, name: &str) -> Part {
        let is_in = |names: &[FieldName]| names.iter().any(|one| **one == *name);
        match () {
            () if self.as_tag.iter().any(|tag| **tag == *name) => Part::Tag,
            () if is_in(&self.as_int) => Part::Int,
            () if is_in(&self.as_float) => Part::Float,
            () => Part::Text,
        }
    }

    fn send(
        &self,
        point: &Point<'_>,
        found: &Captures<'_>,
        out: &mut Emitter<Stream>,
    ) -> Result<()> {
        let mut edit = out.edit(point);
        for (name, part) in &self.parts {
            let Some(text) = found.name(name) else { continue };
            let text = text.as_str();
            edit = match part {
                Part::Tag => edit.tag(name, text),
                Part::Text => edit.field(name, text),
                Part::Int => match text.parse::<i64>() {
                    Ok(value) => edit.field(name, value),
                    Err(_) => edit,
                },
                Part::Float => match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => edit.field(name, value),
                    _ => edit,
                },
            };
        }
        Ok(edit.send()?)
    }
}

impl StreamUdf for Extract {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        let names = self.pattern.0.capture_names().flatten().map(str::to_owned);
        let names: Vec<_> = names.collect();
        let fields = self.as_int.iter().chain(&self.as_float).map(|name| &**name);
        let mut named = self.as_tag.iter().map(|name| &**name).chain(fields);
        if let Some(unknown) = named.find(|name| !names.iter().any(|one| one == name)) {
            return Err(format!(
                "`.pattern` has no part `{unknown}`, only {}; write `(?<{unknown}>...)`, or name \
                 another part",
                names.join(", ")
            )
            .into());
        }
        self.parts = names.into_iter().map(|name| (name.clone(), self.becomes(&name))).collect();
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let text = match (&self.field, &self.tag) {
            (Some(field), _) => point.string(field)?,
            (None, tag) => {
                let tag = tag.as_ref().map_or("", |tag| tag);
                point.tag(tag).ok_or_else(|| point.no_tag(tag))?
            }
        };
        match (self.pattern.0.captures(text), &self.unmatched) {
            (Some(found), _) => self.send(point, &found, out),
            (None, Unmatched::Pass) => Ok(out.pass(point)?),
            (None, Unmatched::Drop) => Ok(()),
        }
    }
}
