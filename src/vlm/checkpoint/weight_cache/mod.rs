//! The cache of quantized weights: a file in the user's cache folder, written once, matrix by
//! matrix, and mapped at every later start.

mod blocks;
mod file;

use super::files::{CheckpointFiles, FileData};
use crate::error::{Context, ErrorKind, Result};
use crate::platform;
use crate::text::hex;
use blocks::QuantizedTensor;
use candle_core::Device;
use candle_core::quantized::{GgmlDType, QTensor};
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use file::{CacheReader, CacheWriter};

/// Must change whenever tensor names or the layout in the file change.
const LAYOUT: &str = "labeler-tui quantized weights 4";

/// The default folder of the cache.
pub fn default_folder() -> Result<PathBuf> {
    use etcetera::BaseStrategy;
    let base = etcetera::choose_base_strategy()
        .context(ErrorKind::Model, "cannot find the user's cache folder")
        .map_err(|error| {
            error.with_hint(
                "set HOME or XDG_CACHE_HOME; otherwise weights are quantized at every start",
            )
        })?;
    Ok(base.cache_dir().join("labeler-tui").join("quantized"))
}

/// The cache file under `folder` for these weights with the quantization `form`; `None` for a
/// built-in model. Its name contains a digest of the weight files' sizes, times, headers and
/// samples: hashing the full files would take longer than quantizing them again.
pub fn cache_file(folder: &Path, files: &CheckpointFiles, form: &str) -> Result<Option<PathBuf>> {
    const SAMPLES: u64 = 256;
    const SAMPLE_BYTES: u64 = 4096;
    let mut hash = Sha256::new();
    let mut feed = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    feed(LAYOUT.as_bytes());
    feed(form.as_bytes());
    for file in &files.weights {
        let FileData::Disk(path) = &file.data else {
            return Ok(None);
        };
        let failure = || format!("cannot read {}", path.display());
        let mut open = platform::open_to_read(path).context(ErrorKind::Model, failure())?;
        let metadata = open.metadata().context(ErrorKind::Model, failure())?;
        feed(file.name.as_bytes());
        feed(&metadata.len().to_le_bytes());
        let modified = metadata.modified().ok().and_then(|time| {
            let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(since.as_nanos())
        });
        feed(&modified.unwrap_or_default().to_le_bytes());
        let mut sample = Vec::new();
        for i in 0..SAMPLES {
            // The first sample includes the start of the safetensors header.
            let at = metadata.len() / SAMPLES * i;
            sample.clear();
            open.seek(SeekFrom::Start(at))
                .and_then(|_| (&mut open).take(SAMPLE_BYTES).read_to_end(&mut sample))
                .context(ErrorKind::Model, failure())?;
            feed(&sample);
        }
    }
    let digest = hash.finalize();
    let short = hex(&digest[..12]);
    Ok(Some(folder.join(format!("{form}-{short}.weights"))))
}

/// How loading uses the cache.
#[derive(Clone, Default)]
pub enum WeightCache {
    /// No cache.
    #[default]
    Off,
    /// Adds each quantized tensor to a file; `None` after a failure or once finished.
    Write(Arc<Mutex<Option<CacheWriter>>>),
    /// Reads the tensors from a file.
    Map(Arc<CacheReader>),
}

impl WeightCache {
    pub fn write(writer: CacheWriter) -> Self {
        Self::Write(Arc::new(Mutex::new(Some(writer))))
    }

    pub fn map(reader: CacheReader) -> Self {
        Self::Map(Arc::new(reader))
    }

    /// Returns a candle tensor, `shape` rows and columns, from the file or from `quantize`.
    pub fn tensor(
        &self,
        name: &str,
        dtype: GgmlDType,
        shape: (usize, usize),
        device: &Device,
        quantize: impl FnOnce() -> candle_core::Result<QTensor>,
    ) -> candle_core::Result<QuantizedTensor> {
        let kind = format!("{dtype:?}");
        match self {
            Self::Off => quantize().map(QuantizedTensor::owned),
            Self::Map(reader) => {
                let (range, checksum) = reader.find(name, &kind, shape)?;
                check(name, &reader.map()[range.clone()], checksum)?;
                let map = reader.map().clone();
                let mapped = QuantizedTensor::mapped(map, range, dtype, &shape.into())?;
                match device {
                    Device::Cpu => Ok(mapped),
                    device => mapped.to_device(device).map(QuantizedTensor::owned),
                }
            }
            Self::Write(_) => {
                let tensor = quantize()?;
                self.put(name, &kind, shape, &tensor.data()?);
                Ok(QuantizedTensor::owned(tensor))
            }
        }
    }

    /// Returns a matrix of any `kind`: `read` decodes it from the file's bytes, or `make` builds it.
    /// `bytes` encodes a matrix to be written.
    pub fn matrix<M: Send>(
        &self,
        name: &str,
        kind: &str,
        shape: (usize, usize),
        read: impl FnOnce(&[u8]) -> candle_core::Result<M> + Send,
        make: impl FnOnce() -> candle_core::Result<M>,
        bytes: impl FnOnce(&M) -> &[u8],
    ) -> candle_core::Result<M> {
        match self {
            Self::Off => make(),
            Self::Map(reader) => {
                let (range, checksum) = reader.find(name, kind, shape)?;
                let stored = &reader.map()[range.clone()];
                let (checked, matrix) =
                    rayon::join(|| check(name, stored, checksum), || read(stored));
                checked?;
                if let Err(error) = platform::release_pages(reader.map(), &range) {
                    tracing::debug!(%error, "the system keeps mapped weights in memory");
                }
                matrix
            }
            Self::Write(_) => {
                let matrix = make()?;
                self.put(name, kind, shape, bytes(&matrix));
                Ok(matrix)
            }
        }
    }

    /// Adds a matrix to the file being written. After a failure, nothing more is cached.
    fn put(&self, name: &str, kind: &str, shape: (usize, usize), bytes: &[u8]) {
        let Self::Write(writer) = self else {
            return;
        };
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = writer.as_mut()
            && let Err(error) = open.put(name, kind, shape, bytes)
        {
            tracing::warn!(%error, "cannot cache the quantized weights");
            *writer = None;
        }
    }

    /// Finishes writing. Returns false if nothing was cached.
    pub fn finish(&self) -> Result<bool> {
        let Self::Write(writer) = self else {
            return Ok(false);
        };
        let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match writer {
            Some(writer) => writer.finish().map(|()| true),
            None => Ok(false),
        }
    }
}

impl fmt::Debug for WeightCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Write(_) => "Write",
            Self::Map(_) => "Map",
        })
    }
}

fn check(name: &str, bytes: &[u8], checksum: u32) -> candle_core::Result<()> {
    match crc32fast::hash(bytes) == checksum {
        true => Ok(()),
        false => candle_core::bail!("the cached {name} is damaged"),
    }
}

#[cfg(test)]
mod tests;
