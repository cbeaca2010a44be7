//! Suites over all UDFs of the box. The table of `table.rs` has a row for each.

mod check;
mod homes;
mod http_lookup;
mod oracle;
mod pages;
mod reload;
mod restarts;
mod running;
mod series;
mod server;
mod table;
mod ugly;
