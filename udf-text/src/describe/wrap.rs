//! Wraps text to a width.

/// Appends `text` in lines of at most `width` characters, each behind `indent`.
///
/// Each line of `text` is a paragraph, with an empty line before it. Indented lines and list items
/// have no empty line before them. Rows of tables and lines of code, between lines of "```", stay
/// as they are.
pub(super) fn wrap(text: &str, indent: &str, width: usize, out: &mut String) {
    let width = width.saturating_sub(indent.chars().count()).max(20);
    let (mut apart, mut is_code) = (false, false);
    for (number, line) in text.trim().lines().enumerate() {
        let fence = line.starts_with("```");
        if is_code || fence || line.starts_with('|') {
            is_code ^= fence;
            out.push_str(format!("{indent}{line}").trim_end());
            out.push('\n');
            apart = fence && !is_code;
            continue;
        }
        if line.trim().is_empty() {
            apart = true;
            continue;
        }
        let marker = marker(line);
        let below = marker > 0 || line.starts_with([' ', '\t', '|']);
        if number > 0 && (apart || !below) {
            out.push('\n');
        }
        apart = false;
        let mut column = 0;
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if column > marker && column + 1 + length > width {
                out.push('\n');
                out.push_str(indent);
                out.push_str(&" ".repeat(marker));
                column = marker;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            } else {
                out.push_str(indent);
            }
            out.push_str(word);
            column += length;
        }
        out.push('\n');
    }
}

/// Returns the indent behind the mark of a list item (`-`, `*`, `1.`), or 0 for any other line.
fn marker(line: &str) -> usize {
    let first = line.split_whitespace().next().unwrap_or_default();
    let number = first.strip_suffix(['.', ')']);
    let counts = number.is_some_and(|number| number.parse::<u8>().is_ok());
    if counts || matches!(first, "-" | "*" | "+") { first.len() + 1 } else { 0 }
}
