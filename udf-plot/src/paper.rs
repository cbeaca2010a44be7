//! The document of a drawing: its size, its texts, and its colors.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::Text;
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, RGBColor, TextStyle};

use crate::fit::{clean, escaped, wrapped};
use crate::settings::{Look, Theme};
use crate::theme::{self, Role};

/// The library draws at whole units, and a pixel has this many of them.
pub(crate) const PX: i32 = 4;
/// The space at the edges, in pixels.
pub(crate) const MARGIN: i32 = 16;
/// The height of a line of text, in pixels.
pub(crate) const LINE: i32 = 18;

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Drawn = Result<(), Failed>;

/// Drawing has failed, which text in memory never does. The texts of such errors would make programs
/// larger.
pub(crate) struct Failed;

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for Failed {
    fn from(_: DrawingAreaErrorKind<E>) -> Self {
        Failed
    }
}

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

    pub(crate) fn color(&self, role: Role) -> RGBColor {
        role.color(self.theme)
    }

    /// Returns the style of a text.
    pub(crate) fn font(&self, size: i32, role: Role, is_bold: bool) -> TextStyle<'static> {
        let weight = if is_bold { FontStyle::Bold } else { FontStyle::Normal };
        // The library divides sizes by this factor.
        let size = f64::from(size * PX) * 1.24;
        let font = FontDesc::new(FontFamily::Name("system-ui, sans-serif"), size, weight);
        font.color(&self.color(role))
    }

    /// Writes a text from its top left on.
    pub(crate) fn text(
        &self,
        area: &Area<'_>,
        text: &str,
        (x, y): (i32, i32),
        (size, role, is_bold): (i32, Role, bool),
    ) -> Drawn {
        let style = self.font(size, role, is_bold).pos(Pos::new(HPos::Left, VPos::Top));
        Ok(area.draw(&Text::new(clean(text), (x * PX, y * PX), style))?)
    }

    /// Returns the document of a drawing.
    pub(crate) fn document(&self, height: i32, draw: &dyn Fn(&Area<'_>) -> Drawn) -> String {
        let mut svg = String::new();
        let size = ((self.width * PX).unsigned_abs(), (height * PX).unsigned_abs());
        {
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            let drawn = self.draw_title(&area).and_then(|()| draw(&area));
            let drawn = drawn.and_then(|()| Ok(area.present()?));
            debug_assert!(drawn.is_ok(), "text in memory takes everything");
        }
        self.framed(&svg, height)
    }

    fn draw_title(&self, area: &Area<'_>) -> Drawn {
        area.fill(&self.color(Role::Background))?;
        let mut y = MARGIN;
        for line in &self.title.0 {
            self.text(area, line, (MARGIN, y), (17, Role::Text, true))?;
            y += 24;
        }
        for line in &self.title.1 {
            self.text(area, line, (MARGIN, y), (12, Role::Muted, false))?;
            y += LINE;
        }
        Ok(())
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
