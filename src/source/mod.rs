//! See the architecture text in lib.rs.
