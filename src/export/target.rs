//! Replaces files atomically: a new file is written beside the old one under a random name, synced
//! and renamed.

use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{file_error, sync_folder};
use crate::platform::{self, FileId};
use crate::store::file_sha256;
use crate::text::hex;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How many chained links are followed, as on Linux.
const MAX_LINKS: usize = 40;
/// Number of random characters in a temporary file name.
const RANDOM_CHARS: usize = 8;
const TEMPORARY_SUFFIX: &str = ".tmp";

/// A file to be replaced, with the user's links resolved.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    is_linked: bool,
}

/// Metadata that changes when a file is modified or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    id: Option<FileId>,
    length: u64,
    changed: (i64, i64),
}

impl Target {
    pub fn find(outdir: &Path, name: &str) -> Result<Self> {
        let mut path = outdir.join(name);
        for _ in 0..MAX_LINKS {
            // Fails if it is not a link or does not exist.
            let Ok(to) = std::fs::read_link(&path) else {
                return match std::fs::symlink_metadata(&path) {
                    Ok(there) if !there.is_file() => Err(Error::new(
                        ErrorKind::Store,
                        format!("{} is not a regular file", path.display()),
                    )
                    .with_hint("move it away, or choose another --outdir")),
                    _ => {
                        let is_linked = path != outdir.join(name);
                        Ok(Self { path, is_linked })
                    }
                };
            };
            path = path.parent().unwrap_or(outdir).join(to);
        }
        Err(Error::new(
            ErrorKind::Store,
            format!("{}: too many links in a row", outdir.join(name).display()),
        ))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the name in the outdir is a link.
    pub fn is_linked(&self) -> bool {
        self.is_linked
    }

    /// Returns the hash of the present file; `None` if there is none.
    pub fn sha256(&self) -> Result<Option<String>> {
        file_sha256(&self.path)
    }

    /// Returns the fingerprint of the present file; `None` if there is none.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let about = std::fs::metadata(&self.path).ok()?;
        Some(Fingerprint {
            id: platform::file_id(&about),
            length: about.len(),
            changed: platform::change_time(&about),
        })
    }

    /// Creates a temporary file beside the present one.
    pub fn begin(&self) -> Result<ExportSink> {
        let (prefix, suffix) = self.name_parts();
        let mut builder = tempfile::Builder::new();
        builder
            .prefix(&prefix)
            .suffix(suffix)
            .rand_bytes(RANDOM_CHARS);
        platform::set_file_mode(&mut builder);
        let created = builder
            .tempfile_in(self.folder())
            .map_err(file_error("writing beside", &self.path))?;
        Ok(ExportSink {
            out: BufWriter::with_capacity(1 << 16, created),
            target: self.path.clone(),
            hash: Sha256::new(),
            line_hashes: HashSet::new(),
            is_empty: true,
        })
    }

    /// Replaces the present file with a new one, which takes over its mode and group.
    pub fn replace(&self, written: Written) -> Result<()> {
        let writing = file_error("writing", &self.path);
        let new = written.file.as_file();
        match std::fs::metadata(&self.path) {
            Ok(old) => platform::copy_owner_and_mode(new, &old).map_err(&writing)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(writing(error)),
        }
        new.sync_all().map_err(&writing)?;
        written
            .file
            .persist(&self.path)
            .map_err(|error| file_error("replacing", &self.path)(error.error))?;
        sync_folder(self.folder())
    }

    /// Removes temporary files that a killed run left. The caller must hold the lock of the outdir.
    pub fn remove_leftovers(&self) {
        let Ok(entries) = std::fs::read_dir(self.folder()) else {
            return;
        };
        for entry in entries.flatten() {
            let is_ours = entry
                .file_name()
                .to_str()
                .is_some_and(|name| self.is_temporary(name));
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_ours && is_file {
                // A leftover only takes up space.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn is_temporary(&self, name: &str) -> bool {
        let of = Self::temporary_of(name);
        let is_ours = of.is_some_and(|of| self.path.file_name() == Some(of.as_ref()));
        // Names of an early version had no random part.
        let (prefix, _) = self.name_parts();
        is_ours || name.strip_prefix(&prefix) == Some("tmp")
    }

    /// The name of the file that a temporary file becomes; `None` if `name` is not that of a
    /// temporary file.
    pub fn temporary_of(name: &str) -> Option<&str> {
        let inner = name.strip_prefix('.')?.strip_suffix(TEMPORARY_SUFFIX)?;
        let (of, random) = inner.rsplit_once('.')?;
        let is_random =
            random.len() == RANDOM_CHARS && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_random.then_some(of)
    }

    fn name_parts(&self) -> (String, &'static str) {
        let name = self.path.file_name().unwrap_or_default();
        (format!(".{}.", name.to_string_lossy()), TEMPORARY_SUFFIX)
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

/// Half of the SHA-256 of a line.
pub(super) type LineHash = [u8; 16];

pub(super) fn line_hash(line: &[u8]) -> LineHash {
    let hash: [u8; 32] = Sha256::digest(line).into();
    std::array::from_fn(|at| hash[at])
}

/// A temporary file that is being written. Removed unless [`Target::replace`] gets it.
#[derive(Debug)]
pub(super) struct ExportSink {
    out: BufWriter<NamedTempFile>,
    target: PathBuf,
    hash: Sha256,
    line_hashes: HashSet<LineHash>,
    is_empty: bool,
}

/// A complete temporary file, for [`Target::replace`].
#[derive(Debug)]
pub(super) struct Written {
    file: NamedTempFile,
    pub sha256: String,
    pub line_hashes: HashSet<LineHash>,
    pub is_empty: bool,
}

impl ExportSink {
    pub fn line(&mut self, text: &str) -> Result<()> {
        self.line_hashes.insert(line_hash(text.as_bytes()));
        let written = self
            .write_all(text.as_bytes())
            .and_then(|()| self.write_all(b"\n"));
        written.map_err(file_error("writing", &self.target))
    }

    /// Path of the final file, for messages.
    pub fn target(&self) -> &Path {
        &self.target
    }

    pub fn finish(self) -> Result<Written> {
        let target = self.target;
        let new = self
            .out
            .into_inner()
            .map_err(|error| file_error("writing", &target)(error.into_error()))?;
        // Synced here, possibly on a background thread, rather than in `Target::replace`.
        new.as_file()
            .sync_all()
            .map_err(file_error("writing", &target))?;
        Ok(Written {
            file: new,
            sha256: hex(&self.hash.finalize()),
            line_hashes: self.line_hashes,
            is_empty: self.is_empty,
        })
    }
}

impl Write for ExportSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.is_empty &= written == 0;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
