//! A folder of images: sorted by name, the item's name is the file's stem.

use super::reading::{ItemSource, RowEvent, Sink, absolute, cannot_open, cannot_read};
use super::row::{has_control, one_line, wanted};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Item, SourceType};
use crate::settings::OnlySource;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "gif", "webp", "bmp"];

#[derive(Debug)]
pub struct Folder {
    base: PathBuf,
    names: Vec<OsString>,
    only: OnlySource,
}

impl Folder {
    pub fn open(path: &Path, only: OnlySource) -> Result<Self> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|error| cannot_open(path, &error))? {
            let name = entry.map_err(|error| cannot_read(path, error))?.file_name();
            if is_image(Path::new(&name)) {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Err(Error::new(
                ErrorKind::Source,
                format!("{} holds no images", path.display()),
            )
            .with_hint("png, jpg, gif, webp and bmp files are read; folders inside it are not"));
        }
        names.sort_unstable();
        Ok(Self {
            base: absolute(path)?,
            names,
            only,
        })
    }
}

impl ItemSource for Folder {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        if !wanted(self.only, SourceType::EquipmentShape) {
            return Ok(());
        }
        for name in &self.names {
            let event = match item(name, &self.base) {
                Ok(item) => RowEvent::Item(item.into()),
                Err(why) => RowEvent::Warning(format!("{}: {why}", name.display())),
            };
            if sink(event).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// By its name; hidden files, among them the halves that macOS writes, are left out.
fn is_image(name: &Path) -> bool {
    let hidden = name.as_os_str().as_encoded_bytes().starts_with(b".");
    let extension = name.extension().and_then(|extension| extension.to_str());
    !hidden
        && extension.is_some_and(|extension| {
            EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(extension))
        })
}

fn item(name: &OsString, base: &Path) -> Result<Item, &'static str> {
    let image_path = name.to_str().ok_or("the file's name is not UTF-8")?;
    if has_control(image_path) {
        return Err("the file's name holds control characters");
    }
    let stem = Path::new(image_path)
        .file_stem()
        .and_then(|stem| stem.to_str());
    Ok(Item {
        image_path: image_path.to_owned(),
        file: Some(base.join(image_path)),
        claimed_sha256: None,
        source_type: SourceType::EquipmentShape,
        item_name: one_line(stem.map(str::to_owned)).ok_or("the file's name is blank")?,
        item_description: None,
        item_part: None,
        image_url: None,
        ocid: None,
        ranking: None,
    })
}
