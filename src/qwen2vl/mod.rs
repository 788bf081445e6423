//! See the architecture text in lib.rs.

pub mod files;
