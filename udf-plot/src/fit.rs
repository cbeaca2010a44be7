//! Makes texts fit their places. The fonts of the viewer are unknown, so widths are estimates.

/// Returns about how wide a text is, since the fonts of the viewer are unknown.
pub(crate) fn text_width(text: &str, size: i32) -> i32 {
    text.chars().count() as i32 * size * 56 / 100
}

/// Returns how many characters fit.
pub(crate) fn room(width: i32, size: i32) -> usize {
    (width.max(0) * 100 / (size * 56)) as usize
}

/// Cuts a text that is too wide.
pub(crate) fn shortened(text: &str, width: i32, size: i32) -> String {
    let room = room(width, size).max(2);
    match text.chars().count() > room {
        true => text.chars().take(room - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// Returns as many names as fit, of names that are separated by commas.
pub(crate) fn axis_name(names: &str, width: i32) -> String {
    if names.chars().count() <= room(width, 11) {
        return names.to_owned();
    }
    let starts = names.rmatch_indices(", ").map(|(end, _)| format!("{}, …", &names[..end]));
    let mut starts = starts.filter(|start| start.chars().count() <= room(width, 11));
    starts.next().unwrap_or_else(|| shortened(names, width, 11))
}

/// Cuts a text into lines between its words.
pub(crate) fn wrapped(text: &str, width: i32, size: i32) -> Vec<String> {
    let room = room(width, size);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.into_iter().map(|line| shortened(&line, width, size)).collect()
}

/// Replaces characters that XML cannot contain.
pub(crate) fn clean(text: &str) -> String {
    let is_bad = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if is_bad(c) { '\u{fffd}' } else { c }).collect()
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
