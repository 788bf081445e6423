//! Memory-mapped safetensors, one file or several, read tensor by tensor.

#![allow(unsafe_code, reason = "mapped files")]

use super::files::{CheckpointFile, FileData};
use crate::error::{Context, Error, ErrorKind, Result};
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::ops::Range;

/// The bytes of one file.
enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Bytes {
    fn open(file: &CheckpointFile) -> Result<Self> {
        let path = match &file.data {
            FileData::Embedded(bytes) => return Ok(Self::Embedded(bytes)),
            FileData::Disk(path) => path,
        };
        let doing = || format!("cannot map {}", path.display());
        let file = std::fs::File::open(path).context(ErrorKind::Model, doing())?;
        // SAFETY: mapping a file that another process shortens meanwhile is undefined; weights
        // are written once, by a download that renames them when complete.
        let map = unsafe { Mmap::map(&file) }.context(ErrorKind::Model, doing())?;
        Ok(Self::Mapped(map))
    }

    fn all(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }

    /// Tells the system that these bytes will not be read again soon, so that a mapped checkpoint
    /// does not count twice while the weights are built from it.
    fn release(&self, range: &Range<usize>) {
        if let Self::Mapped(map) = self {
            // SAFETY: the mapping is read-only and backed by the file, so dropped pages are read
            // again from it when they are touched.
            let advised = unsafe {
                map.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    range.start,
                    range.len(),
                )
            };
            if let Err(error) = advised {
                tracing::debug!(%error, "the system keeps pages of the checkpoint in memory");
            }
        }
    }
}

/// The bytes of one tensor in its file.
struct Location {
    file: usize,
    range: Range<usize>,
    dtype: DType,
    shape: Vec<usize>,
}

/// The tensors of a checkpoint, by the names that its architecture uses.
pub struct Weights {
    files: Vec<Bytes>,
    tensors: BTreeMap<String, Location>,
    /// What is read instead of stored tensors, on the CPU.
    replaced: BTreeMap<String, Tensor>,
}

impl Weights {
    /// Opens the files and reads their tables, but no tensor yet. `rename` turns a stored name
    /// into the architecture's.
    pub fn open(files: &[CheckpointFile], rename: impl Fn(&str) -> String) -> Result<Self> {
        let mut weights = Self {
            files: Vec::new(),
            tensors: BTreeMap::new(),
            replaced: BTreeMap::new(),
        };
        for file in files {
            weights
                .add(file, &rename)
                .map_err(|error| error.context(format!("weights {}", file.shown())))?;
        }
        Ok(weights)
    }

    fn add(&mut self, file: &CheckpointFile, rename: &dyn Fn(&str) -> String) -> Result<()> {
        let bytes = Bytes::open(file)?;
        let all = bytes.all();
        let table = SafeTensors::deserialize(all).map_err(|error| {
            if let Some(pointer) = file.lfs_pointer() {
                return Error::new(ErrorKind::Model, pointer.cause).with_hint(pointer.hint);
            }
            Error::new(
                ErrorKind::Model,
                format!("not a complete safetensors file: {error}"),
            )
            .with_hint("the file is damaged or was not copied to its end; fetch it again")
        })?;
        let start = all.as_ptr() as usize;
        for (name, view) in table.iter() {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::F16 => DType::F16,
                Dtype::BF16 => DType::BF16,
                other => {
                    return Err(Error::new(
                        ErrorKind::Model,
                        format!(
                            "{name} is stored as {other:?}; only f32, f16 and bf16 can be read"
                        ),
                    ));
                }
            };
            let offset = view.data().as_ptr() as usize - start;
            let location = Location {
                file: self.files.len(),
                range: offset..offset + view.data().len(),
                dtype,
                shape: view.shape().to_vec(),
            };
            let name = rename(name);
            if self.tensors.insert(name.clone(), location).is_some() {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("{name} is there twice"),
                ));
            }
        }
        self.files.push(bytes);
        Ok(())
    }

    /// Checks that the tensors are exactly the expected ones, by name and shape, besides those
    /// that may be ignored.
    pub fn check(
        &self,
        expected: &[(String, Vec<usize>)],
        may_ignore: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let mut missing = Vec::new();
        let mut unused: BTreeMap<&str, &Location> = self
            .tensors
            .iter()
            .map(|(name, location)| (name.as_str(), location))
            .collect();
        for (name, shape) in expected {
            match unused.remove(name.as_str()) {
                None => missing.push(format!("{name} {shape:?}")),
                Some(found) if found.shape != *shape => {
                    missing.push(format!("{name} {shape:?} (the file has {:?})", found.shape));
                }
                Some(_) => {}
            }
        }
        unused.retain(|name, _| !may_ignore(name));
        if missing.is_empty() && unused.is_empty() {
            return Ok(());
        }
        let unused = unused
            .iter()
            .map(|(name, found)| format!("{name} {:?}", found.shape));
        Err(Error::new(
            ErrorKind::Model,
            format!(
                "the weights do not fit config.json; missing or of another shape: {}; not used: {}",
                list(missing.into_iter()),
                list(unused)
            ),
        )
        .with_hint("the checkpoint is incomplete or its config.json is that of another model; fetch it again"))
    }

    /// The named tensor as it is stored, on the CPU.
    pub fn stored(&self, name: &str, shape: &[usize]) -> candle_core::Result<Tensor> {
        let Some(location) = self.tensors.get(name) else {
            candle_core::bail!("tensor {name} is missing")
        };
        if location.shape != shape {
            candle_core::bail!("tensor {name} is {:?}, not {shape:?}", location.shape)
        }
        if let Some(tensor) = self.replaced.get(name) {
            return Ok(tensor.clone());
        }
        let file = &self.files[location.file];
        let tensor = Tensor::from_raw_buffer(
            &file.all()[location.range.clone()],
            location.dtype,
            shape,
            &Device::Cpu,
        )?;
        file.release(&location.range);
        Ok(tensor)
    }

    /// The names of all tensors, with their shapes.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        let all = self.tensors.iter();
        all.map(|(name, location)| (name.as_str(), location.shape.as_slice()))
    }

    /// From now on `name` reads as this tensor, of the shape that is stored.
    pub fn replace(&mut self, name: String, tensor: Tensor) {
        self.replaced.insert(name, tensor);
    }

    /// Bytes of all tensors as stored.
    pub fn stored_bytes(&self) -> u64 {
        let bytes = self
            .tensors
            .values()
            .map(|location| location.range.len() as u64);
        bytes.sum()
    }
}

/// Joined for a message; a checkpoint of another family would otherwise fill the screen.
fn list(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 20;
    let names: Vec<String> = names.collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}
