//! Suggestions: the name that a user may have meant.

/// Returns the known name that `name` resembles most, or none if it resembles none of them.
///
/// ```
/// use udf_text::suggest::nearest;
///
/// assert_eq!(nearest("feild", ["field", "size"]), Some("field"));
/// assert_eq!(nearest("window", ["field", "size"]), None);
/// ```
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // The comparison takes time proportional to both lengths, and the length of `name` is not
    // limited.
    if name.len() > 128 {
        return None;
    }
    // Names that differ only in case or in `_` are equal.
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let name = plain(name);
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&name, &plain(known)), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    /// The macros have their own rule, and a test with the same table.
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
