//! The document of a drawing: its size, its texts, and its colors.

use crate::fit::{clean, escaped, wrapped};
use crate::pen::{Font, HPos, Ink, Pen, VPos};
use crate::settings::{Look, Theme};
use crate::theme::{self, Role};

/// The library draws at whole units, and a pixel has this many of them.
pub(crate) const PX: i32 = 4;
/// The space at the edges, in pixels.
pub(crate) const MARGIN: i32 = 16;
/// The height of a line of text, in pixels.
pub(crate) const LINE: i32 = 18;

/// A sheet of paper with a title. Places and sizes are in pixels.
pub(crate) struct Paper {
    theme: Theme,
    pub(crate) width: i32,
    /// The lines of the title, and of the text below it.
    title: (Vec<String>, Vec<String>),
}

impl Paper {
    pub(crate) fn new(look: &Look, title: &str, subtitle: &str) -> Self {
        let width = i32::try_from(look.width).unwrap_or(i32::MAX).clamp(280, 8_000);
        let inner = width - 2 * MARGIN;
        // Bold letters are wider.
        let title = (wrapped(title, inner, 19), wrapped(subtitle, inner, 12));
        Paper { theme: look.theme, width, title }
    }

    /// Returns the width without the space at the edges.
    pub(crate) fn inner(&self) -> i32 {
        self.width - 2 * MARGIN
    }

    /// Returns the first line below the title.
    pub(crate) fn top(&self) -> i32 {
        MARGIN + 24 * self.title.0.len() as i32 + LINE * self.title.1.len() as i32 + 2
    }

    /// Returns what lines and areas are drawn with.
    pub(crate) fn ink(&self, role: Role) -> Ink {
        Ink { rgb: role.color(self.theme), opacity: 1.0, width: 1 }
    }

    /// Returns the style of a text of this size in pixels.
    pub(crate) fn font(&self, size: i32, role: Role, is_bold: bool) -> Font {
        let at = (HPos::Left, VPos::Top);
        Font { ink: self.ink(role), size: size * PX, is_bold, at, is_upright: false }
    }

    /// Writes a text from its top left on.
    pub(crate) fn text(
        &self,
        pen: &mut Pen<'_>,
        text: &str,
        (x, y): (i32, i32),
        (size, role, is_bold): (i32, Role, bool),
    ) {
        pen.text(&clean(text), (x * PX, y * PX), &self.font(size, role, is_bold));
    }

    /// Returns the document of a drawing.
    pub(crate) fn document(&self, height: i32, draw: &dyn Fn(&mut Pen<'_>)) -> String {
        let mut svg = String::new();
        let (width, depth) = (self.width * PX, height * PX);
        let mut pen = Pen::new(&mut svg, (width.unsigned_abs(), depth.unsigned_abs()));
        pen.rectangle((0, 0), (width, depth), self.ink(Role::Background));
        self.draw_title(&mut pen);
        draw(&mut pen);
        pen.finish();
        self.framed(&svg, height)
    }

    fn draw_title(&self, pen: &mut Pen<'_>) {
        let mut y = MARGIN;
        for line in &self.title.0 {
            self.text(pen, line, (MARGIN, y), (17, Role::Text, true));
            y += 24;
        }
        for line in &self.title.1 {
            self.text(pen, line, (MARGIN, y), (12, Role::Muted, false));
            y += LINE;
        }
    }

    /// Gives the drawing its size in pixels, its title for screen readers, and its style sheet.
    fn framed(&self, svg: &str, height: i32) -> String {
        let body = svg.split_once('>').map_or("", |(_, body)| body);
        let style = match self.theme {
            Theme::Auto => format!("<style>{}</style>", theme::auto()),
            Theme::Light | Theme::Dark => String::new(),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{0}\" height=\"{1}\" \
             viewBox=\"0 0 {2} {3}\">\n<title>{4}</title>\n{style}{body}",
            self.width,
            height,
            self.width * PX,
            height * PX,
            escaped(&clean(&self.title.0.join(" "))),
        )
    }
}
