//! Pictures of what a UDF does to its points.
//!
//! A [`Track`] collects the points of one side of a UDF in bounded memory. A [`Picture`] of an input
//! and an output chooses the fields, and arranges them in panels. It has two forms: [SVG](Picture::svg),
//! and [text](Picture::text) for a terminal.
//!
//! Ten points or ten million: the least and the greatest value of each pixel column are drawn. The
//! crate starts no threads or processes and reads no files, except for the time zone of the machine.

mod bench;
mod build;
mod canvas;
mod chart;
mod checks;
mod fields;
mod fit;
mod panels;
mod paper;
mod pen;
mod picture;
mod range;
mod series;
mod settings;
mod svg;
mod text;
mod theme;
mod time_axis;
mod track;
mod value_axis;
mod words;
mod zone;

pub use bench::{Measured, Measurements, Run};
pub use picture::{Data, Form, Key, Panel, Picture, Series, Side};
pub use series::Sample;
pub use settings::{Groups, Look, Settings, Theme};
pub use track::Track;

// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
