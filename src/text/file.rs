//! Reads text files that people write: settings, prompts, key maps, vocabularies. Formats paths for
//! SQLite.

use crate::platform;
use std::io::{self, Read};
use std::path::Path;

/// Size limit in bytes, far more than any such file needs.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a text file of at most 16 MB. A pipe or a device is an error.
pub fn read_text(path: &Path) -> io::Result<String> {
    read_text_up_to(path, MAX_BYTES)
}

/// [`read_text`] for an optional file: `None` if it does not exist.
pub fn read_text_if_exists(path: &Path) -> io::Result<Option<String>> {
    match read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) => match error.kind() {
            // A parent of the path is a file.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}

/// [`read_text`] for files of at most `largest` bytes.
pub fn read_text_up_to(path: &Path, largest: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    platform::open_to_read(path)?
        .take(largest + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        let what = match largest >> 20 {
            0 => format!("it has more than {} kB", largest >> 10),
            megabytes => format!("it has more than {megabytes} MB"),
        };
        return Err(io::Error::other(what));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Formats a path for an SQLite URI.
pub fn percent_encoded(path: &Path) -> String {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|&byte| match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_file_is_an_error() {
        let error = read_text(Path::new("/dev/zero")).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        assert!(read_text_if_exists(Path::new("/dev/null")).is_err());
        assert_eq!(read_text_if_exists(&folder.path().join("b")).unwrap(), None);
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "가 = 1").unwrap();
        assert_eq!(read_text(&path).unwrap(), "가 = 1");
        assert!(read_text_up_to(&path, 7).is_ok());
        let error = read_text_up_to(&path, 6).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 0 kB");
    }
}
