//! Reads text files that people write: settings, prompts, key maps, vocabularies. Formats paths for
//! SQLite.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Size limit in bytes, far more than any such file needs.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a text file of at most 16 MB. The limit matters because the path may be an endless pipe or
/// device.
pub fn read_text(path: &Path) -> io::Result<String> {
    read_text_up_to(path, MAX_BYTES)
}

/// [`read_text`] for an optional file: `None` if it does not exist. Anything but a regular file is
/// an error, since opening a pipe would wait for a writer.
pub fn read_text_if_exists(path: &Path) -> io::Result<Option<String>> {
    match std::fs::metadata(path) {
        Ok(about) if about.is_file() => read_text(path).map(Some),
        Ok(_) => Err(io::Error::other("it is not a regular file")),
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
    File::open(path)?
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
        assert_eq!(error.to_string(), "it has more than 16 MB");
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
