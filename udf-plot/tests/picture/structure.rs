//! Which series and panels a picture has.
