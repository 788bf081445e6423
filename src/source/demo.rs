//! The built-in sample items.

use super::manifest::{Manifest, read_lines};
use super::options::OnlySource;
use super::reading::{ItemSource, Sink, cannot_read};
use crate::error::Result;
use include_dir::{Dir, include_dir};
use std::path::Path;

const MANIFEST: &str = include_str!("../../assets/sample/manifest.jsonl");
static ICONS: Dir = include_dir!("$CARGO_MANIFEST_DIR/assets/sample/icons");

/// Prefix of built-in image paths; all other paths are absolute.
const BASE: &str = "labeler-tui:sample";

#[derive(Debug)]
pub struct Demo {
    pub only: OnlySource,
}

impl ItemSource for Demo {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let manifest = Manifest::built_in(BASE, self.only);
        read_lines(MANIFEST.as_bytes(), &manifest, sink)
            .map_err(|error| cannot_read(Path::new(BASE), error))
    }
}

/// Bytes of a built-in image; `None` for any other path.
pub fn embedded(file: &Path) -> Option<&'static [u8]> {
    let path = file.strip_prefix(BASE).ok()?.strip_prefix("icons").ok()?;
    Some(ICONS.get_file(path)?.contents())
}
