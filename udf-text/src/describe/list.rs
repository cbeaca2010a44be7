//! Lists of UDFs, with a line for each.

use super::description::Description;
use super::words::quoted;

/// Returns a list for people: the name of each UDF, and the first line of its help.
///
/// ```
/// use std::collections::BTreeMap;
/// use udf_text::describe::{Description, list_to_text};
/// use udf_proto::{EdgeType, Info};
///
/// let edge = EdgeType::Stream;
/// let info = Info { wants: edge, provides: edge, options: BTreeMap::new() };
/// let udf = |name: &str, help: &str| {
///     Description { help: help.into(), ..Description::from_info(name, &info) }
/// };
/// let udfs = [udf("top", "The greatest values.\nMore."), udf("mirror", "")];
/// assert_eq!(list_to_text(&udfs), "top     The greatest values.\nmirror\n");
/// ```
pub fn list_to_text(udfs: &[Description]) -> String {
    let longest = udfs.iter().map(|udf| udf.name.chars().count()).max().unwrap_or(0);
    let lines = udfs.iter().map(|udf| {
        let line = format!("{:longest$}  {}", udf.name, summary(udf));
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// Returns a list for tools: a JSON array of objects with the members `name`, `help`, `wants` and
/// `provides`. The help is its first line.
pub fn list_to_json(udfs: &[Description]) -> String {
    let udfs = udfs.iter().map(|udf| {
        format!(
            "  {{\"name\": {}, \"help\": {}, \"wants\": {}, \"provides\": {}}}",
            quoted(&udf.name),
            quoted(summary(udf)),
            quoted(udf.wants.name()),
            quoted(udf.provides.name())
        )
    });
    format!("[\n{}\n]\n", udfs.collect::<Vec<_>>().join(",\n"))
}

fn summary(udf: &Description) -> &str {
    udf.help.lines().next().unwrap_or_default()
}
