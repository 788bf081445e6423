//! Reads files that may be gzip-compressed, sequentially or by byte range.

use crate::record::ReadProblem;
use flate2::read::MultiGzDecoder;
use std::fs::{File, Metadata};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Number of compressed files kept open for further reads.
const MAX_OPEN: usize = 4;

/// Compressed files kept open, most recently used last. Ranges read in order decompress a file only
/// once.
static OPEN_FILES: Mutex<Vec<Inflated>> = Mutex::new(Vec::new());

/// A compressed file and its read position.
struct Inflated {
    path: PathBuf,
    version: FileVersion,
    /// Decompressed bytes read so far.
    at: u64,
    content: MultiGzDecoder<BufReader<File>>,
}

/// Detects that a file has been replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileVersion {
    length: u64,
    modified: Option<SystemTime>,
}

impl From<&Metadata> for FileVersion {
    fn from(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// Returns the decompressed content of a file. Only a regular file can be compressed: checking
/// anything else would consume its first bytes.
pub fn content(mut file: File) -> io::Result<Box<dyn Read>> {
    let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
    Ok(match is_regular && is_compressed(&mut file)? {
        true => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        false => Box::new(file),
    })
}

/// Reads `length` bytes of a regular file's decompressed content.
pub fn read_range(path: &Path, offset: u64, length: u64) -> Result<Vec<u8>, ReadProblem> {
    let mut file = File::open(path)?;
    if !is_compressed(&mut file)? {
        file.seek(SeekFrom::Start(offset))?;
        return read_exactly(&mut file, length);
    }
    let version = FileVersion::from(&file.metadata()?);
    let mut inflated = take(path, version, offset).unwrap_or_else(|| Inflated {
        path: path.to_owned(),
        version,
        at: 0,
        content: MultiGzDecoder::new(BufReader::new(file)),
    });
    let before = offset - inflated.at;
    let skipped = io::copy(&mut (&mut inflated.content).take(before), &mut io::sink())?;
    if skipped < before {
        return Err(ReadProblem::Shrank);
    }
    let bytes = read_exactly(&mut inflated.content, length)?;
    inflated.at = offset + length;
    let mut open = OPEN_FILES.lock().unwrap_or_else(PoisonError::into_inner);
    if open.len() == MAX_OPEN {
        open.remove(0);
    }
    open.push(inflated);
    Ok(bytes)
}

/// Takes the open file whose position is closest before `offset`.
fn take(path: &Path, version: FileVersion, offset: u64) -> Option<Inflated> {
    let mut open = OPEN_FILES.lock().unwrap_or_else(PoisonError::into_inner);
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

fn read_exactly(from: &mut impl Read, length: u64) -> Result<Vec<u8>, ReadProblem> {
    let mut bytes = Vec::with_capacity(length as usize);
    from.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(ReadProblem::Shrank),
    }
}
