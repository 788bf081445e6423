//! The vector cache: a file of the vectors of one retriever, by content, so that nothing is computed
//! twice. It can be deleted at any time.
//!
//! It is append-only. Checksums detect incomplete and damaged records, which are computed again.

use crate::embed::Vector;
use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{file_error, open_own, refuse_irregular};
use crate::platform;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"LTVEC 1\n";
const KEY: usize = 32;
const CHECK: usize = 8;
/// Magic, digest, vector width, checksum.
const HEADER: usize = MAGIC.len() + KEY + 4 + CHECK;

/// Identifies the content of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VectorKey([u8; KEY]);

impl VectorKey {
    /// Key of an image, by the SHA-256 of its file and its preparation.
    pub fn image(sha256: &str, preparation: &str) -> Self {
        Self::of(&["image", sha256, preparation])
    }

    pub fn text(text: &str) -> Self {
        Self::of(&["text", text])
    }

    fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// The vectors of one retriever in one outdir.
#[derive(Debug)]
pub struct VectorFile {
    path: PathBuf,
    file: File,
    /// File offset of each vector.
    offsets: HashMap<VectorKey, u64>,
    end: u64,
    /// Vector width; 0 before the first vector.
    width: usize,
    digest: [u8; KEY],
}

impl VectorFile {
    /// The path of a retriever's vector file.
    pub fn path(outdir: &Path, digest: &str) -> PathBuf {
        let short: String = digest.chars().take(16).collect();
        outdir.join(format!("vectors-{short}.bin"))
    }

    /// Opens or creates the file of the retriever with this digest, and locks it for writing.
    ///
    /// # Errors
    /// If the file cannot be written or another process has locked it.
    pub fn open(outdir: &Path, digest: &str) -> Result<Self> {
        let path = Self::path(outdir, digest);
        let file = open_own(&path, OpenOptions::new().read(true).write(true))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let cause = format!("another run of the retriever is writing {}", path.display());
                return Err(Error::new(ErrorKind::Store, cause).with_hint("wait until it is done"));
            }
            Err(TryLockError::Error(error)) => {
                return Err(self::file_error("locking", &path)(error));
            }
        }
        Self::read(path, file, digest)
    }

    /// Opens the file read-only, without a lock. `None` if it does not exist.
    pub fn open_to_read(outdir: &Path, digest: &str) -> Result<Option<Self>> {
        let path = Self::path(outdir, digest);
        if let Ok(false) = path.try_exists() {
            return Ok(None);
        }
        refuse_irregular(&path)?;
        let file = File::open(&path).map_err(file_error("opening", &path))?;
        Self::read(path, file, digest).map(Some)
    }

    fn read(path: PathBuf, mut file: File, digest: &str) -> Result<Self> {
        let digest = Sha256::digest(digest).into();
        let mut vectors = Self {
            file: file
                .try_clone()
                .map_err(self::file_error("opening", &path))?,
            offsets: HashMap::new(),
            end: 0,
            width: 0,
            digest,
            path,
        };
        let path = vectors.path.clone();
        let failed = self::file_error("reading", &path);
        file.rewind().map_err(&failed)?;
        let length = file.metadata().map_err(&failed)?.len();
        let mut from = BufReader::with_capacity(1 << 20, file);
        let mut header = [0; HEADER];
        if !fill(&mut from, &mut header).map_err(&failed)? || !is_whole(&header) {
            return Ok(vectors);
        }
        let (magic, rest) = header.split_at(MAGIC.len());
        let (of, rest) = rest.split_at(KEY);
        if magic != MAGIC || of != digest {
            return Ok(vectors);
        }
        let width = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
        // A damaged header: no vector is wider than the file.
        if u64::from(width) > length {
            return Ok(vectors);
        }
        vectors.width = width as usize;
        vectors.end = HEADER as u64;
        let mut record = vec![0; vectors.record()];
        while fill(&mut from, &mut record).map_err(&failed)? {
            if is_whole(&record)
                && let Some(key) = record.first_chunk()
            {
                vectors
                    .offsets
                    .insert(VectorKey(*key), vectors.end + KEY as u64);
            }
            vectors.end += record.len() as u64;
        }
        Ok(vectors)
    }

    fn record(&self) -> usize {
        KEY + self.width * size_of::<f32>() + CHECK
    }

    pub fn holds(&self, key: &VectorKey) -> bool {
        self.offsets.contains_key(key)
    }

    /// Reads the vector of `key`, if it is stored.
    pub fn get(&self, key: &VectorKey) -> Result<Option<Vector>> {
        let Some(offset) = self.offsets.get(key) else {
            return Ok(None);
        };
        let mut bytes = vec![0; self.width * size_of::<f32>()];
        platform::read_exact_at(&self.file, &mut bytes, *offset)
            .map_err(file_error("reading", &self.path))?;
        let numbers = bytes.as_chunks::<4>().0;
        Ok(Some(
            numbers.iter().map(|it| f32::from_le_bytes(*it)).collect(),
        ))
    }

    /// Adds vectors of equal width and syncs the file.
    pub fn add(&mut self, vectors: &[(VectorKey, Vector)]) -> Result<()> {
        let Some((_, first)) = vectors.first() else {
            return Ok(());
        };
        let path = self.path.clone();
        let failed = file_error("writing", &path);
        if self.width != first.len() {
            // The file is empty or belongs to another retriever.
            let width = first.len() as u32;
            let header = [MAGIC.as_slice(), &self.digest, &width.to_le_bytes()].concat();
            self.file.set_len(0).map_err(&failed)?;
            self.offsets.clear();
            self.width = first.len();
            self.end = 0;
            self.write(&checked(header))?;
        }
        // Removes an incomplete record, which would shift all that follow.
        self.file.set_len(self.end).map_err(&failed)?;
        let mut bytes = Vec::with_capacity(vectors.len() * self.record());
        for (key, vector) in vectors {
            if vector.len() != self.width {
                let cause = format!(
                    "a vector of width {} among vectors of width {}",
                    vector.len(),
                    self.width
                );
                return Err(Error::new(ErrorKind::Internal, cause));
            }
            let numbers = vector.iter().flat_map(|number| number.to_le_bytes());
            bytes.extend(checked(key.0.into_iter().chain(numbers).collect()));
        }
        let start = self.end;
        self.write(&bytes)?;
        self.file.sync_data().map_err(&failed)?;
        for (at, (key, _)) in vectors.iter().enumerate() {
            let offset = start + (at * self.record() + KEY) as u64;
            self.offsets.insert(*key, offset);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(bytes))
            .map_err(file_error("writing", &self.path))?;
        self.end += bytes.len() as u64;
        Ok(())
    }
}

/// Appends a checksum.
fn checked(mut bytes: Vec<u8>) -> Vec<u8> {
    let check = Sha256::digest(&bytes);
    bytes.extend_from_slice(&check[..CHECK]);
    bytes
}

fn is_whole(bytes: &[u8]) -> bool {
    let (content, check) = bytes.split_at(bytes.len().saturating_sub(CHECK));
    Sha256::digest(content)[..CHECK] == *check
}

/// Fills the buffer; false if the file ends first.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbb";

    fn vector(first: f32) -> Vector {
        vec![first, 0.25, -0.5]
    }

    #[test]
    fn vectors_persist() {
        let outdir = tempfile::tempdir().unwrap();
        let (hat, cape) = (VectorKey::text("모자"), VectorKey::image("00ff", "white"));
        let mut file = VectorFile::open(outdir.path(), A).unwrap();
        file.add(&[(hat, vector(1.0))]).unwrap();
        file.add(&[(cape, vector(2.0))]).unwrap();
        assert_eq!(file.get(&hat).unwrap(), Some(vector(1.0)));
        let busy = VectorFile::open(outdir.path(), A).unwrap_err();
        assert!(busy.cause.contains("another run"), "{}", busy.cause);
        drop(file);
        let file = VectorFile::open_to_read(outdir.path(), A).unwrap().unwrap();
        assert_eq!(file.get(&hat).unwrap(), Some(vector(1.0)));
        assert_eq!(file.get(&cape).unwrap(), Some(vector(2.0)));
        assert_eq!(file.get(&VectorKey::text("망토")).unwrap(), None);
        assert!(
            VectorFile::open_to_read(outdir.path(), B)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn incomplete_and_damaged_vectors_are_dropped_and_can_be_added_again() {
        let outdir = tempfile::tempdir().unwrap();
        let keys = [0, 1, 2].map(|at| VectorKey::text(&at.to_string()));
        let all = [0.0, 1.0, 2.0].map(vector);
        let mut file = VectorFile::open(outdir.path(), A).unwrap();
        file.add(&[(keys[0], all[0].clone()), (keys[1], all[1].clone())])
            .unwrap();
        file.add(&[(keys[2], all[2].clone())]).unwrap();
        drop(file);
        let path = VectorFile::path(outdir.path(), A);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[HEADER + KEY] ^= 1;
        bytes.truncate(bytes.len() - 5);
        std::fs::write(&path, bytes).unwrap();
        let mut file = VectorFile::open(outdir.path(), A).unwrap();
        assert!(!file.holds(&keys[0]) && file.holds(&keys[1]) && !file.holds(&keys[2]));
        file.add(&[(keys[2], all[2].clone()), (keys[0], all[0].clone())])
            .unwrap();
        drop(file);
        let file = VectorFile::open_to_read(outdir.path(), A).unwrap().unwrap();
        for (key, vector) in keys.iter().zip(all) {
            assert_eq!(file.get(key).unwrap(), Some(vector));
        }
    }

    #[test]
    fn a_file_of_another_retriever_is_overwritten() {
        let outdir = tempfile::tempdir().unwrap();
        let key = VectorKey::text("모자");
        let mut file = VectorFile::open(outdir.path(), A).unwrap();
        file.add(&[(key, vector(1.0))]).unwrap();
        drop(file);
        std::fs::rename(
            VectorFile::path(outdir.path(), A),
            VectorFile::path(outdir.path(), B),
        )
        .unwrap();
        let mut file = VectorFile::open(outdir.path(), B).unwrap();
        assert!(!file.holds(&key));
        file.add(&[(key, vec![3.0; 5])]).unwrap();
        assert_eq!(file.get(&key).unwrap(), Some(vec![3.0; 5]));
    }
}
