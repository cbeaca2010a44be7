//! Lines of a bounded width.

/// Appends `text`, each of its lines filled anew, with `indent` before every line that comes of it.
///
/// A line is a paragraph, and stands apart; one that is indented or an item of a list stands right below the
/// line before it.
pub(super) fn wrap(text: &str, indent: &str, width: usize, out: &mut String) {
    let width = width.saturating_sub(indent.chars().count()).max(20);
    let mut apart = false;
    for (number, line) in text.trim().lines().enumerate() {
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

/// How far what follows the mark of an item, `-`, `*` or `1.`, is indented; 0 when the line is none.
fn marker(line: &str) -> usize {
    let first = line.split_whitespace().next().unwrap_or_default();
    let number = first.strip_suffix(['.', ')']);
    let counts = number.is_some_and(|number| number.parse::<u8>().is_ok());
    if counts || matches!(first, "-" | "*" | "+") { first.len() + 1 } else { 0 }
}
