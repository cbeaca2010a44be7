//! The structure of pictures: series, axes, labels and notes of made points.

mod bad_input;
mod gallery;
mod measurements;
mod shown;
mod structure;
