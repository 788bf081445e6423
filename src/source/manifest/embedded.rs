//! Images whose bytes stand in the manifest itself.

use crate::record::ImageLocation;
use crate::settings::MAX_FILE_BYTES;
use sha2::{Digest, Sha256};

/// An image that came with its row.
#[derive(Debug)]
pub struct Embedded {
    /// Where it can be read again.
    pub location: ImageLocation,
    /// What the manifest calls it.
    path: Option<String>,
    pub sha256: [u8; 32],
    /// It is not so large that it was left unread.
    pub is_whole: bool,
    extension: &'static str,
}

impl Embedded {
    pub fn new(location: ImageLocation, path: Option<String>, bytes: &[u8]) -> Self {
        let is_whole = bytes.len() as u64 <= MAX_FILE_BYTES;
        Self {
            location,
            path: path.filter(|path| !path.trim().is_empty()),
            sha256: match is_whole {
                true => Sha256::digest(bytes).into(),
                false => [0; 32],
            },
            is_whole,
            extension: extension(bytes),
        }
    }

    /// The path that goes into the record: what the manifest calls the image, else what it says
    /// beside it, else its hash.
    pub fn image_path(&self, written: Option<String>) -> String {
        let named = self.path.clone().or(written);
        named.unwrap_or_else(|| {
            let hash: String = self.sha256[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("{hash}.{}", self.extension)
        })
    }
}

/// By the first bytes; the source has no decoder.
fn extension(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, ..] => "jpg",
        [b'G', b'I', b'F', ..] => "gif",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        [b'B', b'M', ..] => "bmp",
        _ => "png",
    }
}
