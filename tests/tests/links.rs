//! Links in the documents lead to existing files and headings.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the documents of the repository by their folders.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in a folder");
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

/// Returns the lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Returns the targets of `[text](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Returns the anchor that GitHub generates for a heading: lower case, hyphens for spaces, no
/// punctuation.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn has_heading(document: &Path, wanted: &str) -> bool {
    let text = fs::read_to_string(document).expect("a document can be read");
    prose(&text).any(|line| line.starts_with('#') && anchor(line) == wanted)
}

#[test]
fn every_link_leads_somewhere() {
    let (mut broken, mut seen) = (Vec::new(), 0);
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document can be read");
        for target in prose(&text).flat_map(targets) {
            // Web addresses are not checked, nor are items that rustdoc links.
            if target.contains("://") || target.contains("::") {
                continue;
            }
            seen += 1;
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = match path {
                "" => document.clone(),
                path => document.parent().expect("a document is in a folder").join(path),
            };
            if !file.exists() || !heading.is_empty() && !has_heading(&file, heading) {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    assert!(seen > 50, "{seen} links were found");
}
