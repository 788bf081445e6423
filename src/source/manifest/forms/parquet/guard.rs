//! Turns panics of the parquet crate on damaged files into errors.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub fn guarded<T, E: Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the file is damaged".to_owned()),
    }
}
