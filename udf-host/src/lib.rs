//! Kapacitor's own side of the UDF protocol: it describes and drives any UDF, in any language.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`describe`] | what a UDF is, for people and for tools |

pub mod describe;
