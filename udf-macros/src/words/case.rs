//! The cases of names.

/// A way to join the words of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Camel,
    Pascal,
    Snake,
    Kebab,
    Lower,
    Upper,
    ScreamingSnake,
}

impl Case {
    /// The cases of values.
    pub(crate) const ALL: &[(&str, Case)] = &[
        ("camelCase", Case::Camel),
        ("PascalCase", Case::Pascal),
        ("snake_case", Case::Snake),
        ("lowercase", Case::Lower),
        ("UPPERCASE", Case::Upper),
        ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
        ("kebab-case", Case::Kebab),
    ];

    /// The cases of names that a TICKscript can call: all but the last.
    pub(crate) const CALLABLE: &[(&str, Case)] = Case::ALL.split_at(Case::ALL.len() - 1).0;

    /// Writes a name in this case. The name may be in any case.
    pub(crate) fn write(self, name: &str) -> String {
        let words = words(name);
        match self {
            Case::Camel => {
                let rest = words.iter().skip(1).map(|word| capitalized(word));
                words.iter().take(1).cloned().chain(rest).collect()
            }
            Case::Pascal => words.iter().map(|word| capitalized(word)).collect(),
            Case::Snake => words.join("_"),
            Case::Kebab => words.join("-"),
            Case::Lower => words.concat(),
            Case::Upper => words.concat().to_uppercase(),
            Case::ScreamingSnake => words.join("_").to_uppercase(),
        }
    }
}

/// Returns the words of a name in lower case: `moving_avg`, `MovingAvg` and `movingAvg` are equal.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in name.split('_').filter(|part| !part.is_empty()) {
        let chars: Vec<char> = part.chars().collect();
        for (at, &char) in chars.iter().enumerate() {
            let after_lower = at > 0 && !chars[at - 1].is_uppercase();
            let before_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
            // `HTTPProbe` is two words, as `HttpProbe` is.
            if at == 0 || char.is_uppercase() && (after_lower || before_lower) {
                words.push(String::new());
            }
            words.last_mut().expect("the first letter began a word").extend(char.to_lowercase());
        }
    }
    if words.is_empty() { vec![name.to_owned()] } else { words }
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_rewritten_from_any_case() {
        let written = |case: Case| {
            ["window_size", "WindowSize", "windowSize", "__window__size"]
                .map(|name| case.write(name))
        };
        assert_eq!(written(Case::Camel), ["windowSize"; 4]);
        assert_eq!(written(Case::Pascal), ["WindowSize"; 4]);
        assert_eq!(written(Case::Snake), ["window_size"; 4]);
        assert_eq!(written(Case::Kebab), ["window-size"; 4]);
        assert_eq!(written(Case::Lower), ["windowsize"; 4]);
        assert_eq!(written(Case::Upper), ["WINDOWSIZE"; 4]);
        assert_eq!(written(Case::ScreamingSnake), ["WINDOW_SIZE"; 4]);
    }

    #[test]
    fn capitals_and_digits_in_a_row() {
        assert_eq!(Case::Snake.write("HTTPProbe"), "http_probe");
        assert_eq!(Case::Snake.write("P95"), "p95");
        assert_eq!(Case::Camel.write("p_95"), "p95");
        assert_eq!(Case::Camel.write("_"), "_");
        assert_eq!(Case::Snake.write("X"), "x");
    }
}
