//! Fields and tags from elsewhere, or from inside of a text.

mod extract;
mod geo;
mod lookup;

pub use extract::Extract;
pub use geo::Geo;
pub use lookup::Lookup;
