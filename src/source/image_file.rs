//! The bytes behind an item's `file`.

use super::demo;

use crate::record::{Failure, FailureCode};
use crate::settings::MAX_FILE_BYTES;
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The bytes of an image, on disk or built in. A file that is not there is `missing_image`; one that cannot be read, is
/// no regular file or is larger than [`MAX_FILE_BYTES`] is `image_load_failed`.
pub fn image_bytes(file: &Path) -> Result<Cow<'static, [u8]>, Failure> {
    if let Some(bytes) = demo::embedded(file) {
        return Ok(Cow::Borrowed(bytes));
    }
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => failure(
            FailureCode::MissingImage,
            format!("there is no file {}", file.display()),
        ),
        _ => unusable(file, error),
    };
    // Asked before opening, since opening a pipe would wait for its writer.
    let metadata = fs::metadata(file).map_err(failed)?;
    if !metadata.is_file() {
        return Err(unusable(file, "not a regular file"));
    }
    let too_large = || unusable(file, format!("larger than {MAX_FILE_BYTES} bytes"));
    if metadata.len() > MAX_FILE_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(file)
        .map_err(failed)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large());
    }
    Ok(Cow::Owned(bytes))
}

fn unusable(file: &Path, why: impl std::fmt::Display) -> Failure {
    failure(
        FailureCode::ImageLoadFailed,
        format!("cannot read {}: {why}", file.display()),
    )
}

fn failure(code: FailureCode, detail: String) -> Failure {
    Failure { code, detail }
}
