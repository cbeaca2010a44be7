//! Finds grouping tags that no point has.

use udf_text::suggest::nearest;

/// A grouping tag that no point had, most likely because the name is misspelt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the points were grouped by the tag `{tag}`, but no point has it; {}", instead(.nearest, .known))]
#[non_exhaustive]
pub struct UnseenTag {
    /// The name of the tag.
    pub tag: String,
    /// A known tag with a similar name.
    pub nearest: Option<String>,
    /// The tags of the points.
    pub known: Vec<String>,
}

/// The most known tags in the message.
const SHOWN: usize = 10;

fn instead(nearest: &Option<String>, known: &[String]) -> String {
    match (nearest, known) {
        (Some(nearest), _) => format!("did you mean `{nearest}`?"),
        (None, []) => "the points have no tags".to_owned(),
        (None, known) => {
            let more = if known.len() > SHOWN { ", ..." } else { "" };
            let shown = &known[..known.len().min(SHOWN)];
            format!("the points have the tags `{}`{more}", shown.join("`, `"))
        }
    }
}

/// Looks for tags. Costs nothing once all tags have been seen.
#[derive(Debug)]
pub(super) struct TagSearch {
    unseen: Vec<String>,
    known: Vec<String>,
}

impl TagSearch {
    pub(super) fn new<'t>(tags: impl IntoIterator<Item = &'t str>) -> Self {
        let unseen = tags.into_iter().map(str::to_owned).collect();
        TagSearch { unseen, known: Vec::new() }
    }

    /// Returns whether all tags have been seen.
    pub(super) fn is_over(&self) -> bool {
        self.unseen.is_empty()
    }

    /// Records the names of the tags of a point.
    pub(super) fn see<'t>(&mut self, tags: impl IntoIterator<Item = &'t str>) {
        if self.is_over() {
            return;
        }
        for tag in tags {
            self.unseen.retain(|unseen| unseen != tag);
            if !self.known.iter().any(|known| known == tag) {
                self.known.push(tag.to_owned());
            }
        }
    }

    /// Returns the tags that no point had.
    pub(super) fn left(mut self) -> Vec<UnseenTag> {
        self.known.sort_unstable();
        let mut left = Vec::new();
        for tag in self.unseen {
            let nearest = nearest(&tag, self.known.iter().map(String::as_str)).map(str::to_owned);
            left.push(UnseenTag { tag, nearest, known: self.known.clone() });
        }
        left
    }
}
