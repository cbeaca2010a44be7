//! What a picture shows, and how it looks.

/// Determines what a picture shows.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The name of the UDF, which begins the title.
    pub name: String,
    /// The input in words, such as the name of its file. May be empty.
    pub source: String,
    /// The names of options whose values the title hides.
    pub secrets: Vec<String>,
    /// The groups in the picture. Defaults to the first 6 by name.
    pub groups: Groups,
    /// The names of the fields in the picture. Empty for a choice by the names and values of the
    /// fields. Defaults to empty.
    pub fields: Vec<String>,
    /// Whether times are in UTC, not in the zone of the machine. Defaults to `false`.
    pub utc: bool,
    /// Whether the picture is on a page with a form. The notes of such a picture name no arguments of
    /// the command line. Defaults to `false`.
    pub on_page: bool,
}

impl Settings {
    /// Returns the end of a note about a part that is not drawn: the argument that selects other
    /// parts.
    pub(crate) fn selects_others(&self, argument: &str) -> String {
        match self.on_page {
            true => String::new(),
            false => format!("; {argument} selects others"),
        }
    }
}

/// Selects groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// The first groups in the order of their names, at most [`Groups::MOST`].
    First(usize),
    /// The groups with these names, such as `cpu=cpu0`.
    Named(Vec<String>),
}

impl Groups {
    /// The most groups of a picture.
    pub const MOST: usize = 24;
}

impl Default for Groups {
    fn default() -> Self {
        Groups::First(6)
    }
}

/// Determines how a picture looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The width in pixels, at least 280. The height follows from the content. Defaults to `960`.
    pub width: u32,
    /// The colors. Defaults to [`Theme::Auto`].
    pub theme: Theme,
}

impl Default for Look {
    fn default() -> Self {
        Look { width: 960, theme: Theme::Auto }
    }
}

/// The colors of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// The viewer decides, by the media feature `prefers-color-scheme`.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}
