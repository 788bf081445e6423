//! The content of files that gzip may have compressed, from its beginning or a part of it.

use flate2::read::MultiGzDecoder;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Files that are left open where a part of them ended.
const KEPT: usize = 4;

/// Those of compressed files, the last used one last: whoever reads parts in order decompresses a
/// file once.
static OPEN: Mutex<Vec<Inflated>> = Mutex::new(Vec::new());

/// A compressed file that is read from its beginning to its end.
struct Inflated {
    path: PathBuf,
    version: Version,
    /// Bytes of the content that have been read.
    at: u64,
    content: MultiGzDecoder<BufReader<File>>,
}

/// Another one is another file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    length: u64,
    modified: Option<SystemTime>,
}

impl From<&Metadata> for Version {
    fn from(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// The content of a file from its beginning. What is no regular file is never compressed, since
/// looking would take from it.
pub fn content(mut file: File) -> io::Result<Box<dyn Read>> {
    let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
    Ok(match is_regular && is_compressed(&mut file)? {
        true => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        false => Box::new(file),
    })
}

/// `length` bytes of a regular file's content.
pub fn part(path: &Path, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    if !is_compressed(&mut file)? {
        file.seek(SeekFrom::Start(offset))?;
        return exactly(&mut file, length);
    }
    let version = Version::from(&file.metadata()?);
    let mut inflated = take(path, version, offset).unwrap_or_else(|| Inflated {
        path: path.to_owned(),
        version,
        at: 0,
        content: MultiGzDecoder::new(BufReader::new(file)),
    });
    let before = offset - inflated.at;
    let skipped = io::copy(&mut (&mut inflated.content).take(before), &mut io::sink())?;
    if skipped < before {
        return Err(shorter());
    }
    let bytes = exactly(&mut inflated.content, length)?;
    inflated.at = offset + length;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if open.len() == KEPT {
        open.remove(0);
    }
    open.push(inflated);
    Ok(bytes)
}

/// The open one that is nearest before `offset`.
fn take(path: &Path, version: Version, offset: u64) -> Option<Inflated> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let usable = open.iter().enumerate().filter(|(_, inflated)| {
        inflated.path == path && inflated.version == version && inflated.at <= offset
    });
    let (place, _) = usable.max_by_key(|(_, inflated)| inflated.at)?;
    Some(open.remove(place))
}

fn is_compressed(file: &mut File) -> io::Result<bool> {
    let mut head = [0; 2];
    let is_compressed = match file.read_exact(&mut head) {
        Ok(()) => head == [0x1f, 0x8b],
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(error),
    };
    file.rewind()?;
    Ok(is_compressed)
}

fn exactly(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length as usize);
    from.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(shorter()),
    }
}

fn shorter() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the file is shorter now")
}
