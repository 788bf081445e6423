//! The cache file: the bytes of the matrices, a JSON table of them, the table's length and its
//! checksum.

#![allow(unsafe_code, reason = "mapped files")]

use crate::error::{Context, Error, ErrorKind, Result};
use crate::platform;
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Matrices start at multiples of this many bytes.
const ALIGNMENT: usize = 64;
/// Bytes at the end of the file: the table's length and its checksum.
const TRAILER: usize = size_of::<u64>() + size_of::<u32>();

/// Name prefix of a file that is being written.
const PARTIAL: &str = ".quantizing-";

/// A matrix in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CachedMatrix {
    /// Names the format of the bytes.
    kind: String,
    rows: usize,
    columns: usize,
    bytes: Range<usize>,
    checksum: u32,
}

type MatrixTable = BTreeMap<String, CachedMatrix>;

/// Writes matrices one by one. The target file does not exist before [`CacheWriter::finish`].
pub struct CacheWriter {
    target: PathBuf,
    file: tempfile::NamedTempFile,
    table: MatrixTable,
    at: usize,
}

impl CacheWriter {
    pub fn create(target: &Path) -> Result<Self> {
        let failure = format!("cannot write {}", target.display());
        let folder = target.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).context(ErrorKind::Model, &failure)?;
        remove_leftovers(folder);
        let file = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempfile_in(folder)
            .context(ErrorKind::Model, &failure)?;
        if let Err(error) = file.as_file().try_lock() {
            tracing::debug!(%error, "cannot lock the weight cache while it is written");
        }
        Ok(Self {
            target: target.to_owned(),
            file,
            table: MatrixTable::new(),
            at: 0,
        })
    }

    pub fn put(
        &mut self,
        name: &str,
        kind: &str,
        (rows, columns): (usize, usize),
        data: &[u8],
    ) -> Result<()> {
        let end = self.at + data.len();
        let padding = end.next_multiple_of(ALIGNMENT) - end;
        self.write(data)?;
        self.write(&[0; ALIGNMENT][..padding])?;
        let entry = CachedMatrix {
            kind: kind.to_owned(),
            rows,
            columns,
            bytes: self.at..end,
            checksum: crc32fast::hash(data),
        };
        self.table.insert(name.to_owned(), entry);
        self.at = end + padding;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let failure = || format!("cannot write {}", self.target.display());
        self.file
            .write_all(bytes)
            .context(ErrorKind::Model, failure())
    }

    /// Writes the table and renames the file. There is no sync: a file torn by a power loss has a
    /// wrong checksum and is rebuilt.
    pub fn finish(mut self) -> Result<()> {
        let failure = format!("cannot write {}", self.target.display());
        let table = serde_json::to_vec(&self.table).context(ErrorKind::Internal, &failure)?;
        self.write(&table)?;
        self.write(&(table.len() as u64).to_le_bytes())?;
        self.write(&crc32fast::hash(&table).to_le_bytes())?;
        self.file
            .persist(&self.target)
            .context(ErrorKind::Model, &failure)?;
        Ok(())
    }
}

/// Removes the files of processes that were killed while they wrote. A running one holds a lock on
/// its file.
fn remove_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_partial = entry.file_name().to_string_lossy().starts_with(PARTIAL);
        let file = is_partial.then(|| platform::open_to_read(&entry.path()));
        if let Some(Ok(file)) = file
            && file.try_lock().is_ok()
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "cannot remove a leftover file");
        }
    }
}

/// A mapped cache file.
pub struct CacheReader {
    map: Arc<Mmap>,
    table: MatrixTable,
}

/// Parses the table at the end of the file; `None` if it is damaged.
fn table(bytes: &[u8]) -> Option<MatrixTable> {
    let (rest, trailer) = bytes.split_last_chunk::<TRAILER>()?;
    let (length, checksum) = trailer.split_last_chunk::<{ size_of::<u32>() }>()?;
    let length = u64::from_le_bytes(length.try_into().ok()?);
    let start = rest.len().checked_sub(usize::try_from(length).ok()?)?;
    let table = &rest[start..];
    match crc32fast::hash(table) == u32::from_le_bytes(*checksum) {
        true => serde_json::from_slice(table).ok(),
        false => None,
    }
}

impl CacheReader {
    /// Opens a cache file. `None` if it does not exist.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let failure = || format!("cannot read {}", path.display());
        let file = match platform::open_to_read(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(ErrorKind::Model, failure()),
        };
        // SAFETY: a mapped file must not be truncated by another process. Cache files are renamed
        // into place when complete and never written again.
        let map = unsafe { Mmap::map(&file) }.context(ErrorKind::Model, failure())?;
        let Some(table) = table(&map) else {
            return Err(Error::new(
                ErrorKind::Model,
                format!("{}: it is damaged", failure()),
            ));
        };
        Ok(Some(Self {
            map: Arc::new(map),
            table,
        }))
    }

    pub fn map(&self) -> &Arc<Mmap> {
        &self.map
    }

    /// Looks up the byte range of a matrix and its checksum.
    ///
    /// # Errors
    /// If the matrix is missing, truncated, or of another kind or shape.
    pub fn find(
        &self,
        name: &str,
        kind: &str,
        (rows, columns): (usize, usize),
    ) -> candle_core::Result<(Range<usize>, u32)> {
        let Some(entry) = self.table.get(name) else {
            candle_core::bail!("the cached weights lack {name}")
        };
        if (entry.kind.as_str(), entry.rows, entry.columns) != (kind, rows, columns) {
            candle_core::bail!(
                "the cached {name} is {} {} x {}, not {kind} {rows} x {columns}",
                entry.kind,
                entry.rows,
                entry.columns
            )
        }
        if self.map.get(entry.bytes.clone()).is_none() {
            candle_core::bail!("the cached {name} is truncated")
        }
        Ok((entry.bytes.clone(), entry.checksum))
    }
}
