//! The escaping rules of InfluxDB 1.x for names. The parent module explains the rules.

/// The meaning of a backslash in one kind of name.
///
/// A name ends at the first byte of `ends` without a backslash directly before it.
pub(super) struct Rules {
    /// The name can contain these only with a backslash before them.
    pub(super) ends: &'static [u8],
    /// A backslash directly before one of these is dropped. Any other backslash stands for itself.
    dropped_before: &'static [u8],
}

/// Measurements.
pub(super) const MEASUREMENT: Rules = Rules { ends: b" ,", dropped_before: b" ,=\"" };

/// Names and values of tags.
pub(super) const TAG: Rules = Rules { ends: b" ,=", dropped_before: b" ,=" };

/// Names of fields.
pub(super) const FIELD: Rules = Rules { ends: b" ,=", dropped_before: b" ,=\"" };

impl Rules {
    /// Returns the length of the escaped name at the start of `line`.
    pub(super) fn length(&self, line: &[u8]) -> usize {
        let ends =
            |&at: &usize| self.ends.contains(&line[at]) && (at == 0 || line[at - 1] != b'\\');
        (0..line.len()).find(ends).unwrap_or(line.len())
    }

    /// Returns the name that `raw` stands for.
    pub(super) fn unescape(&self, raw: &str) -> String {
        let mut name = String::with_capacity(raw.len());
        self.unescape_to(raw, &mut name);
        name
    }

    /// Appends the name that `raw` stands for.
    pub(super) fn unescape_to(&self, raw: &str, name: &mut String) {
        let mut rest = raw;
        while let Some(at) = rest.find('\\') {
            let next = rest.as_bytes().get(at + 1);
            let kept = if next.is_some_and(|next| self.dropped_before.contains(next)) {
                at
            } else {
                at + 1
            };
            name.push_str(&rest[..kept]);
            rest = &rest[at + 1..];
        }
        name.push_str(rest);
    }

    /// Appends `name` with the backslashes that it needs, so that `unescape` returns it again.
    pub(super) fn escape(&self, name: &str, out: &mut Vec<u8>) {
        let mut previous = 0;
        for &byte in name.as_bytes() {
            let would_drop = previous == b'\\' && self.dropped_before.contains(&byte);
            if would_drop || self.ends.contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
            previous = byte;
        }
    }
}

/// Returns whether `raw` contains an even number of backslashes directly before a blank, a comma or
/// `=`.
///
/// To find the end of the fields, InfluxDB skips pairs of a backslash and any byte. To find the end
/// of a name, InfluxDB looks at single bytes. If the results differ, InfluxDB refuses the line or
/// reads another name.
pub(super) fn is_ambiguous_field(raw: &[u8]) -> bool {
    let mut backslashes = 0_usize;
    raw.iter().any(|byte| {
        let ambiguous =
            FIELD.ends.contains(byte) && backslashes > 0 && backslashes.is_multiple_of(2);
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
        ambiguous
    })
}

/// Returns whether InfluxDB finds the end of `line` at its last byte, which is a line break.
///
/// InfluxDB splits its input into lines before it parses them. The splitter also treats a blank
/// behind two backslashes as the start of the fields. From there on, quotes in names can hide line
/// breaks.
pub(super) fn is_one_line(line: &[u8]) -> bool {
    let (mut quoted, mut in_fields, mut open_values) = (false, false, 0_i64);
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'\\' => at += 1,
            b'\n' if !quoted => break,
            b' ' => in_fields = true,
            b'=' if in_fields && !quoted => open_values += 1,
            b',' if in_fields && !quoted => open_values -= 1,
            b'"' if in_fields && open_values > 0 => quoted = !quoted,
            _ => {}
        }
        at += 1;
    }
    at + 1 == line.len()
}
