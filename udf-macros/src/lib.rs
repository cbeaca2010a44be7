//! The macros of `udf-runtime`; authors use them from there.
