//! The commands besides labeling, one file each.

pub mod ask;
pub mod bench;
pub mod compare;
pub mod doctor;
pub mod export;
pub mod fix;
pub mod journal;
pub mod list;
mod selection;
pub mod show;

use crate::error::{Error, ErrorKind, Result};
use std::io::{self, Write};

/// Writes what a command prints. A reader that went away early (`| head`) is no error.
pub fn write_out(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(
            ErrorKind::Internal,
            format!("writing to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}
