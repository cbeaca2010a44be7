//! Suggestions: the nearest name, and a list of all.

/// Returns `; did you mean `x`?` for a name near to a known name, and an empty text otherwise.
pub(crate) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(name, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// Returns the nearest of the known names, if it is near.
///
/// The rule of `udf_text::suggest::nearest`: the macros depend on no other crate of the kit.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if name.len() > 128 {
        return None;
    }
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let name = plain(name);
    let scored = known.into_iter().map(|known| (strsim::jaro_winkler(&name, &plain(known)), known));
    let near = scored.filter(|(score, _)| *score > 0.8);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, known)| known)
}

/// Returns `` `a`, `b` or `c` ``, sorted.
pub(crate) fn any_of<'k>(known: impl IntoIterator<Item = &'k str>) -> String {
    let mut known: Vec<String> = known.into_iter().map(|known| format!("`{known}`")).collect();
    known.sort();
    match known.pop() {
        Some(last) if !known.is_empty() => format!("{} or {last}", known.join(", ")),
        last => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    /// The table of the tests of `udf_text::suggest`.
    #[test]
    fn a_name_is_near_to_one_that_is_misspelt() {
        let known = ["field", "window_size", "as"];
        for (name, expected) in [
            ("feild", Some("field")),
            ("FIELD", Some("field")),
            ("windowSize", Some("window_size")),
            ("windwo_size", Some("window_size")),
            ("size", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
        assert_eq!(nearest(&"field".repeat(100), known), None);
    }
}
