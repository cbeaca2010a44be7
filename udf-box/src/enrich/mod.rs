//! Fields and tags from elsewhere, or from inside of a text.

mod extract;
mod geo;
mod http_lookup;
mod lookup;

pub use extract::Extract;
pub use geo::Geo;
pub use http_lookup::HttpLookup;
pub use lookup::Lookup;
