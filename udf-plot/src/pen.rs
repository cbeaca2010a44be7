//! Draws shapes and texts into an SVG document. Only this file uses the drawing library: its backend
//! without its charts, whose generic code makes programs 35 KiB larger.

use std::convert::Infallible;

use plotters_backend::text_anchor::Pos;
use plotters_backend::{
    BackendColor, BackendStyle, BackendTextStyle, DrawingBackend, FontFamily, FontStyle,
    FontTransform,
};
use plotters_svg::SVGBackend;

pub(crate) use plotters_backend::text_anchor::{HPos, VPos};

/// A place in units of the library.
pub(crate) type Place = (i32, i32);

/// The look of a line or of an area.
#[derive(Clone, Copy)]
pub(crate) struct Ink {
    pub(crate) rgb: (u8, u8, u8),
    pub(crate) opacity: f64,
    /// The width of a line, in units of the library.
    pub(crate) width: u32,
}

impl Ink {
    pub(crate) fn width(self, width: u32) -> Self {
        Ink { width, ..self }
    }

    pub(crate) fn opacity(self, opacity: f64) -> Self {
        Ink { opacity, ..self }
    }
}

impl BackendStyle for Ink {
    fn color(&self) -> BackendColor {
        BackendColor { alpha: self.opacity, rgb: self.rgb }
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// The look of a text, and the part of it that is at its place.
#[derive(Clone, Copy)]
pub(crate) struct Font {
    pub(crate) ink: Ink,
    /// The size in units of the library.
    pub(crate) size: i32,
    pub(crate) is_bold: bool,
    pub(crate) at: (HPos, VPos),
    /// Whether the text runs upwards.
    pub(crate) is_upright: bool,
}

impl Font {
    pub(crate) fn at(self, x: HPos, y: VPos) -> Self {
        Font { at: (x, y), ..self }
    }
}

impl BackendTextStyle for Font {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        self.ink.color()
    }

    fn size(&self) -> f64 {
        // The library divides sizes by this factor.
        f64::from(self.size) * 1.24
    }

    fn transform(&self) -> FontTransform {
        if self.is_upright { FontTransform::Rotate270 } else { FontTransform::None }
    }

    fn style(&self) -> FontStyle {
        if self.is_bold { FontStyle::Bold } else { FontStyle::Normal }
    }

    fn anchor(&self) -> Pos {
        Pos::new(self.at.0, self.at.1)
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name("system-ui, sans-serif")
    }

    fn layout_box(&self, _: &str) -> Result<(Place, Place), Infallible> {
        // Only backends that draw letters themselves ask for it.
        Ok(((0, 0), (0, 0)))
    }

    fn draw<E, F: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        _: &str,
        _: Place,
        _: F,
    ) -> Result<Result<(), E>, Infallible> {
        Ok(Ok(()))
    }
}

/// Draws into a document. Text in memory takes everything, so no method fails.
pub(crate) struct Pen<'a>(SVGBackend<'a>);

impl<'a> Pen<'a> {
    /// Begins a document.
    pub(crate) fn new(svg: &'a mut String, size: (u32, u32)) -> Self {
        Pen(SVGBackend::with_string(svg, size))
    }

    /// Ends the document.
    pub(crate) fn finish(mut self) {
        let _ = self.0.present();
    }

    /// Draws a straight line.
    pub(crate) fn line(&mut self, from: Place, to: Place, ink: Ink) {
        let _ = self.0.draw_line(from, to, &ink);
    }

    /// Draws a line through all places.
    pub(crate) fn path(&mut self, places: &[Place], ink: Ink) {
        let _ = self.0.draw_path(places.iter().copied(), &ink);
    }

    /// Fills the area within a line through all places.
    pub(crate) fn area(&mut self, places: &[Place], ink: Ink) {
        let _ = self.0.fill_polygon(places.iter().copied(), &ink);
    }

    /// Fills a rectangle.
    pub(crate) fn rectangle(&mut self, from: Place, to: Place, ink: Ink) {
        let _ = self.0.draw_rect(from, to, &ink, true);
    }

    /// Draws a circle.
    pub(crate) fn circle(&mut self, center: Place, radius: i32, ink: Ink, is_filled: bool) {
        let _ = self.0.draw_circle(center, radius.unsigned_abs(), &ink, is_filled);
    }

    /// Writes a text.
    pub(crate) fn text(&mut self, text: &str, place: Place, font: &Font) {
        let _ = self.0.draw_text(text, font, place);
    }
}
