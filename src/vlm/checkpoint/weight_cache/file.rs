//! The file of a cache: the bytes of matrices, then a table of them in JSON, then how long that is
//! and its checksum.

#![allow(unsafe_code, reason = "mapped files")]

use crate::error::{Context, Error, ErrorKind, Result};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Matrices start at multiples of this.
const ALIGNMENT: usize = 64;
/// Of the table's length and its checksum, at the end of the file.
const TRAILER: usize = size_of::<u64>() + size_of::<u32>();

/// A matrix in the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    /// How its bytes are to be read.
    kind: String,
    rows: usize,
    columns: usize,
    bytes: Range<usize>,
    checksum: u32,
}

type Table = BTreeMap<String, Entry>;

/// Writes matrices one by one. The final name does not exist before [`Writer::finish`].
pub struct Writer {
    target: PathBuf,
    file: tempfile::NamedTempFile,
    table: Table,
    at: usize,
}

impl Writer {
    pub fn create(target: &Path) -> Result<Self> {
        let doing = format!("cannot write {}", target.display());
        let folder = target.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).context(ErrorKind::Model, &doing)?;
        let file = tempfile::Builder::new()
            .prefix(".quantizing-")
            .tempfile_in(folder)
            .context(ErrorKind::Model, &doing)?;
        Ok(Self {
            target: target.to_owned(),
            file,
            table: Table::new(),
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
        let entry = Entry {
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
        let doing = || format!("cannot write {}", self.target.display());
        self.file
            .write_all(bytes)
            .context(ErrorKind::Model, doing())
    }

    /// Writes the table and renames. Nothing waits for the disk: what a power loss leaves half
    /// written has a wrong checksum, and is written again.
    pub fn finish(mut self) -> Result<()> {
        let doing = format!("cannot write {}", self.target.display());
        let table = serde_json::to_vec(&self.table).context(ErrorKind::Internal, &doing)?;
        self.write(&table)?;
        self.write(&(table.len() as u64).to_le_bytes())?;
        self.write(&crc32fast::hash(&table).to_le_bytes())?;
        self.file
            .persist(&self.target)
            .context(ErrorKind::Model, &doing)?;
        Ok(())
    }
}

/// A mapped file.
pub struct Reader {
    map: Arc<Mmap>,
    table: Table,
}

/// The table at the end, if it is the one that was written.
fn table(bytes: &[u8]) -> Option<Table> {
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

impl Reader {
    /// Opens a file of the cache. `None` if there is none.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let doing = || format!("cannot read {}", path.display());
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(ErrorKind::Model, doing()),
        };
        // SAFETY: mapping a file that another process shortens meanwhile is undefined; ours are
        // renamed into place when complete and never written again.
        let map = unsafe { Mmap::map(&file) }.context(ErrorKind::Model, doing())?;
        let Some(table) = table(&map) else {
            return Err(Error::new(
                ErrorKind::Model,
                format!("{}: it is damaged", doing()),
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

    /// Where the bytes of a matrix are, and their checksum.
    ///
    /// # Errors
    /// A matrix that is missing, cut off, or of another kind or shape.
    pub fn find(
        &self,
        name: &str,
        kind: &str,
        (rows, columns): (usize, usize),
    ) -> candle_core::Result<(Range<usize>, u32)> {
        let Some(entry) = self.table.get(name) else {
            candle_core::bail!("no {name} among the cached weights")
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
            candle_core::bail!("the cached {name} is cut off")
        }
        Ok((entry.bytes.clone(), entry.checksum))
    }
}
