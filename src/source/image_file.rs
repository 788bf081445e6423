//! Reads the bytes of an item's image.

use super::manifest::cell_bytes;
use super::options::MAX_FILE_BYTES;
use super::{demo, inflated};
use crate::record::{Failure, FailureCode, FailureDetail, ImageLocation, ReadProblem};
use std::borrow::Cow;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Reads an image from a file, from a container of many images, or from the program itself. A file
/// that does not exist fails as `missing_image`. One that cannot be read, is not a regular file or is
/// larger than [`MAX_FILE_BYTES`] fails as `image_load_failed`.
pub fn image_bytes(location: &ImageLocation) -> Result<Cow<'static, [u8]>, Failure> {
    let bytes = match location {
        ImageLocation::File(file) => match demo::embedded(file) {
            Some(bytes) => return Ok(Cow::Borrowed(bytes)),
            None => file_bytes(file)?,
        },
        ImageLocation::Slice {
            file,
            offset,
            length,
        } => {
            regular_file(file)?;
            let limit = MAX_FILE_BYTES + 1;
            inflated::read_range(file, *offset, (*length).min(limit))
                .map_err(|why| unreadable(location, why))?
        }
        ImageLocation::Cell { file, column, row } => {
            regular_file(file)?;
            cell_bytes(file, column, *row).map_err(|why| unreadable(location, why))?
        }
    };
    match bytes.len() as u64 > MAX_FILE_BYTES {
        true => Err(too_large(location)),
        false => Ok(Cow::Owned(bytes)),
    }
}

fn file_bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let length = regular_file(file)?;
    if length > MAX_FILE_BYTES {
        return Err(too_large(&file.display()));
    }
    if length == 0 {
        // Some files of the system seem empty, but reading them waits.
        return Ok(Vec::new());
    }
    let mut bytes = Vec::with_capacity(length as usize);
    File::open(file)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(file, error))?;
    Ok(bytes)
}

/// Returns the length of a regular file. Must precede opening, since opening a pipe would wait for a
/// writer.
fn regular_file(file: &Path) -> Result<u64, Failure> {
    let metadata = fs::metadata(file).map_err(|error| failed(file, error))?;
    match metadata.is_file() {
        true => Ok(metadata.len()),
        false => Err(unreadable(&file.display(), ReadProblem::NotRegular)),
    }
}

fn failed(file: &Path, error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Failure {
            code: FailureCode::MissingImage,
            detail: FailureDetail::NoSuchFile {
                file: file.display().to_string(),
            },
        },
        _ => unreadable(&file.display(), error.into()),
    }
}

fn too_large(what: &dyn Display) -> Failure {
    let limit = MAX_FILE_BYTES;
    unreadable(what, ReadProblem::TooLarge { limit })
}

fn unreadable(what: &dyn Display, why: ReadProblem) -> Failure {
    Failure {
        code: FailureCode::ImageLoadFailed,
        detail: FailureDetail::Unreadable {
            file: what.to_string(),
            why,
        },
    }
}
