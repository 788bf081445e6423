//! Images embedded in a manifest.

use crate::record::ImageLocation;
use crate::source::options::MAX_FILE_BYTES;
use crate::text::hex;
use sha2::{Digest, Sha256};

/// An image embedded in a row.
#[derive(Debug)]
pub struct EmbeddedImage {
    /// Where it can be read again.
    pub location: ImageLocation,
    /// The image's own path in the manifest.
    path: Option<String>,
    pub sha256: [u8; 32],
    /// Its size does not exceed [`MAX_FILE_BYTES`]. If it does, `sha256` is that of its location.
    pub is_within_limit: bool,
    extension: &'static str,
}

impl EmbeddedImage {
    pub fn new(location: ImageLocation, path: Option<String>, bytes: &[u8]) -> Self {
        let is_within_limit = bytes.len() as u64 <= MAX_FILE_BYTES;
        Self {
            path: path.filter(|path| !path.trim().is_empty()),
            sha256: match is_within_limit {
                true => Sha256::digest(bytes).into(),
                false => Sha256::digest(location.to_string()).into(),
            },
            is_within_limit,
            extension: extension(bytes),
            location,
        }
    }

    /// Path for the record: the image's own path, else the one in another column of the row, else one
    /// made of its hash.
    pub fn image_path(&self, column_path: Option<String>) -> String {
        let path = self.path.clone().or(column_path);
        path.unwrap_or_else(|| format!("{}.{}", hex(&self.sha256[..8]), self.extension))
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
