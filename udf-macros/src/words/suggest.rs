//! What was meant: the nearest name, and all that would do.

/// `; did you mean `x`?` for a name that is near to a known one, else nothing.
pub(crate) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(name, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// The nearest of the known names, if one is near.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_lowercase();
    let scored =
        known.into_iter().map(|known| (strsim::jaro_winkler(&lower, &known.to_lowercase()), known));
    let near = scored.filter(|(score, _)| *score > 0.8);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, known)| known)
}

/// `` `a`, `b` or `c` ``, sorted.
pub(crate) fn any_of<'k>(known: impl IntoIterator<Item = &'k str>) -> String {
    let mut known: Vec<String> = known.into_iter().map(|known| format!("`{known}`")).collect();
    known.sort();
    match known.pop() {
        Some(last) if !known.is_empty() => format!("{} or {last}", known.join(", ")),
        last => last.unwrap_or_default(),
    }
}
