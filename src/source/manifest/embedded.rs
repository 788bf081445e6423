//! Images embedded in a manifest.

use crate::record::ImageLocation;
use crate::settings::MAX_FILE_BYTES;
use sha2::{Digest, Sha256};

/// An image embedded in a row.
#[derive(Debug)]
pub struct Embedded {
    /// Where it can be read again.
    pub location: ImageLocation,
    /// The image's own path in the manifest.
    path: Option<String>,
    pub sha256: [u8; 32],
    /// Its size does not exceed [`MAX_FILE_BYTES`]; only then is `sha256` valid.
    pub is_within_limit: bool,
    extension: &'static str,
}

impl Embedded {
    pub fn new(location: ImageLocation, path: Option<String>, bytes: &[u8]) -> Self {
        let is_within_limit = bytes.len() as u64 <= MAX_FILE_BYTES;
        Self {
            location,
            path: path.filter(|path| !path.trim().is_empty()),
            sha256: match is_within_limit {
                true => Sha256::digest(bytes).into(),
                false => [0; 32],
            },
            is_within_limit,
            extension: extension(bytes),
        }
    }

    /// Path for the record: the image's own path, else the one in another column of the row, else one
    /// made of its hash.
    pub fn image_path(&self, column_path: Option<String>) -> String {
        let path = self.path.clone().or(column_path);
        path.unwrap_or_else(|| {
            let hash: String = self.sha256[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("{hash}.{}", self.extension)
        })
    }
}

/// Guesses the file extension by the first bytes, since the source does not decode images.
fn extension(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, ..] => "jpg",
        [b'G', b'I', b'F', ..] => "gif",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        [b'B', b'M', ..] => "bmp",
        _ => "png",
    }
}
