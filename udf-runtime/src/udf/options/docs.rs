//! Doc comments as help: a line for each paragraph, list item, line of code and row of a table.

/// Joins the lines of paragraphs.
pub(crate) fn help(docs: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let (mut is_code, mut is_open) = (false, false);
    for line in docs.lines() {
        let (text, fence) = (line.trim(), line.trim_start().starts_with("```"));
        if is_code || fence {
            is_code ^= fence;
            is_open = false;
            lines.push(line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned());
            continue;
        }
        // Two spaces or a backslash at the end of a line break it.
        let whole = text.trim_end_matches('\\').trim_end();
        let ends = whole.len() < text.len() || line.ends_with("  ") || text.starts_with('#');
        match lines.last_mut() {
            Some(last) if is_open && !begins(text) && !text.is_empty() => {
                last.push(' ');
                last.push_str(whole);
            }
            _ if text.is_empty() => {}
            _ => lines.push(whole.to_owned()),
        }
        is_open = !text.is_empty() && !ends && !text.starts_with('|');
    }
    lines.join("\n")
}

/// Returns whether a line begins a row of a table, a heading, or a list item: `- one`, `* one`, `1.
/// one`.
fn begins(line: &str) -> bool {
    let Some((mark, _)) = line.split_once(' ') else { return false };
    let number = mark.strip_suffix(['.', ')']).is_some_and(|number| number.parse::<u8>().is_ok());
    number || matches!(mark, "-" | "*" | "+" | "|") || mark.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::help;

    #[test]
    fn paragraphs_are_lines_and_code_and_tables_are_kept() {
        assert_eq!(help(" One\n goes on.\n\n Two.\n"), "One goes on.\nTwo.");
        assert_eq!(
            help(" Say:\n - one\n   more\n * two\n 1. three\n"),
            "Say:\n- one more\n* two\n1. three"
        );
        assert_eq!(
            help(" See\n ```js\n @mean()\n     .size(10)\n\n ```\n after\n"),
            "See\n```js\n@mean()\n    .size(10)\n\n```\nafter"
        );
        assert_eq!(
            help(" | a | b |\n | - | - |\n | 1 | 2 |\n after"),
            "| a | b |\n| - | - |\n| 1 | 2 |\nafter"
        );
        assert_eq!(help(" a  \n b\\\n c"), "a\nb\nc");
        assert_eq!(
            help("\n Mean of a field.\n\n More\n of it.\n \n"),
            "Mean of a field.\nMore of it."
        );
        assert_eq!(help(""), "");
    }
}
