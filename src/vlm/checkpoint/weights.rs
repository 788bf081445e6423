//! Memory-mapped safetensors, one file or several, read tensor by tensor. Matrices packed by AWQ or
//! GPTQ are unpacked transparently.

#![allow(unsafe_code, reason = "mapped files")]

use super::files::{CheckpointFile, FileData};
use super::packing::{PackedMatrix, PackedParts, Packing};
use super::refusals::{self, USE_ORIGINAL};
use super::tensor_list::ExpectedTensor;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::platform;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use half::f16;
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet};
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
        let failure = || format!("cannot map {}", path.display());
        let file = platform::open_to_read(path).context(ErrorKind::Model, failure())?;
        // SAFETY: a mapped file must not be truncated by another process. Weights are written once,
        // by a download that renames them when complete.
        let map = unsafe { Mmap::map(&file) }.context(ErrorKind::Model, failure())?;
        Ok(Self::Mapped(map))
    }

    fn all(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }

    /// Lets the system drop these pages, so that a mapped checkpoint does not count twice while the
    /// weights are built from it.
    fn release(&self, range: &Range<usize>) {
        if let Self::Mapped(map) = self
            && let Err(error) = platform::release_pages(map, range)
        {
            tracing::debug!(%error, "the system keeps pages of the checkpoint in memory");
        }
    }
}

/// Where one tensor is stored.
struct Location {
    file: usize,
    range: Range<usize>,
    dtype: Dtype,
    shape: Vec<usize>,
}

/// A packed matrix, which is stored as several tensors.
struct Packed {
    packing: Packing,
    parts: PackedParts<Location>,
    scales: Location,
    /// `[outputs, inputs]`.
    shape: [usize; 2],
}

impl Packed {
    fn parts(&self) -> impl Iterator<Item = &Location> {
        let PackedParts {
            numbers,
            zeros,
            groups,
        } = &self.parts;
        [numbers, zeros, &self.scales].into_iter().chain(groups)
    }
}

/// The tensors of a checkpoint, by the names that its architecture uses.
pub struct Weights {
    files: Vec<Bytes>,
    tensors: BTreeMap<String, Location>,
    /// Tensors on the CPU that replace stored ones.
    replaced: BTreeMap<String, Tensor>,
    /// Packed matrices by the names of the unpacked ones.
    packed: BTreeMap<String, Packed>,
    /// All-zero biases of packed matrices, which may stay unused.
    zero_biases: BTreeSet<String>,
}

impl Weights {
    /// Opens the files and reads their headers, but no tensor yet. `rename` maps a stored name to the
    /// architecture's; `packing` is the format of packed matrices, if there are any.
    pub fn open(
        files: &[CheckpointFile],
        packing: Option<Packing>,
        rename: impl Fn(&str) -> String,
    ) -> Result<Self> {
        let mut weights = Self {
            files: Vec::new(),
            tensors: BTreeMap::new(),
            replaced: BTreeMap::new(),
            packed: BTreeMap::new(),
            zero_biases: BTreeSet::new(),
        };
        for file in files {
            weights
                .add(file, &rename)
                .map_err(|error| error.context(format!("weights {}", file.shown())))?;
        }
        weights.collect_packed(packing)?;
        Ok(weights)
    }

    /// Moves the parts of packed matrices from `tensors` to `packed`.
    fn collect_packed(&mut self, packing: Option<Packing>) -> Result<()> {
        let packed: Vec<String> = self
            .tensors
            .keys()
            .filter_map(|name| Some(name.strip_suffix(".qweight")?.to_owned()))
            .collect();
        let Some(packing) = packing else {
            return match packed.first() {
                None => Ok(()),
                Some(name) => Err(Error::new(
                    ErrorKind::Model,
                    format!("{name} is quantized, but config.json has no quantization_config"),
                )
                .with_hint("download the checkpoint again, or use the one it was made from")),
            };
        };
        for layer in packed {
            let mut part = |part: &str| self.tensors.remove(&format!("{layer}.{part}"));
            let (numbers, zeros, scales) = (part("qweight"), part("qzeros"), part("scales"));
            let groups = part("g_idx");
            let (Some(numbers), Some(zeros), Some(scales)) = (numbers, zeros, scales) else {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("{layer} lacks qzeros or scales"),
                ));
            };
            let is_int = |part: &Location| part.dtype == Dtype::I32;
            let all_ints = is_int(&numbers) && is_int(&zeros) && groups.iter().all(is_int);
            let shape = packing.matrix_shape(&numbers.shape);
            let Some(shape) = shape.filter(|_| all_ints && float_dtype(scales.dtype).is_some())
            else {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("{layer} does not match quantization_config"),
                ));
            };
            let parts = PackedParts {
                numbers,
                zeros,
                groups,
            };
            let matrix = Packed {
                packing,
                parts,
                scales,
                shape,
            };
            // Some quantization tools add a bias to every packed layer.
            let bias = format!("{layer}.bias");
            if self
                .tensors
                .get(&bias)
                .is_some_and(|bias| self.is_zero(bias))
            {
                self.zero_biases.insert(bias);
            }
            self.packed.insert(format!("{layer}.weight"), matrix);
        }
        Ok(())
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
            .with_hint("the file is damaged or incomplete; download it again")
        })?;
        let start = all.as_ptr() as usize;
        for (name, view) in table.iter() {
            let dtype = view.dtype();
            // Integers are parts of packed matrices, or position ids that nothing reads.
            if float_dtype(dtype).is_none() && !matches!(dtype, Dtype::I32 | Dtype::I64) {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("{name} is stored as {dtype:?}; only f32, f16 and bf16 are supported"),
                )
                .with_hint(USE_ORIGINAL));
            }
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
                    format!("{name} is defined twice"),
                ));
            }
        }
        self.files.push(bytes);
        Ok(())
    }

    /// Checks that the tensors are exactly the expected ones, by name and shape, except for those
    /// that are optional or may be ignored.
    pub fn check(
        &self,
        expected: &[ExpectedTensor],
        may_ignore: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let mut missing = Vec::new();
        let stored = self
            .tensors
            .iter()
            .map(|(name, location)| (name.as_str(), &location.shape[..]));
        let packed = self
            .packed
            .iter()
            .map(|(name, packed)| (name.as_str(), &packed.shape[..]));
        let mut unused: BTreeMap<&str, &[usize]> = stored.chain(packed).collect();
        for ExpectedTensor {
            name,
            shape,
            optional,
            ..
        } in expected
        {
            match unused.remove(name.as_str()) {
                None if *optional => {}
                None => missing.push(format!("{name} {shape:?}")),
                Some(found) if found != *shape => {
                    missing.push(format!("{name} {shape:?} (the file has {found:?})"));
                }
                Some(_) => {}
            }
        }
        unused.retain(|name, _| !may_ignore(name) && !self.zero_biases.contains(*name));
        if missing.is_empty() && unused.is_empty() {
            return Ok(());
        }
        if unused.keys().any(|name| name.contains(".lora_")) {
            let refusal = refusals::adapter("its weights contain those of a LoRA adapter");
            return Err(Error::new(ErrorKind::Model, refusal.cause).with_hint(refusal.hint));
        }
        let unused = unused
            .iter()
            .map(|(name, found)| format!("{name} {found:?}"));
        Err(Error::new(
            ErrorKind::Model,
            format!(
                "the weights do not match config.json; missing or of the wrong shape: {}; not used: {}",
                join_names(missing.into_iter()),
                join_names(unused)
            ),
        )
        .with_hint("the checkpoint is incomplete or its config.json belongs to another model; download it again"))
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name) || self.packed.contains_key(name)
    }

    /// Reads a tensor onto the CPU in its stored type, or in f32 if it is packed.
    pub fn stored(&self, name: &str, shape: &[usize]) -> candle_core::Result<Tensor> {
        if let Some(packed) = self.packed.get(name) {
            let weights = self.unpack(name, packed, shape)?.dequantize();
            self.release(packed.parts());
            return Tensor::from_vec(weights, shape, &Device::Cpu);
        }
        let Some(location) = self.tensors.get(name) else {
            candle_core::bail!("tensor {name} is missing")
        };
        if location.shape != shape {
            candle_core::bail!("tensor {name} is {:?}, not {shape:?}", location.shape)
        }
        if let Some(tensor) = self.replaced.get(name) {
            return Ok(tensor.clone());
        }
        let Some(dtype) = float_dtype(location.dtype) else {
            candle_core::bail!("tensor {name} contains integers")
        };
        let tensor = Tensor::from_raw_buffer(self.bytes(location), dtype, shape, &Device::Cpu)?;
        self.release([location]);
        Ok(tensor)
    }

    /// Stacks matrices of `columns` columns vertically and calls `work` with a function that reads a
    /// row of the stack. Each part is a layer name and its number of rows.
    pub fn with_rows<R>(
        &self,
        parts: &[(String, usize)],
        columns: usize,
        work: impl FnOnce(&(dyn Fn(usize, &mut [f32]) + Sync)) -> candle_core::Result<R>,
    ) -> candle_core::Result<R> {
        let mut matrices = Vec::with_capacity(parts.len());
        let mut first = 0;
        for (layer, rows) in parts {
            let numbers = self.rows(&format!("{layer}.weight"), [*rows, columns])?;
            matrices.push((first, numbers));
            first += rows;
        }
        let result = work(&|row, out| {
            let after = matrices.partition_point(|(first, _)| *first <= row);
            let (first, rows) = &matrices[after - 1];
            rows.read(row - first, out);
        });
        for (_, rows) in &matrices {
            if let MatrixRows::Stored { location, .. } = rows {
                self.release([*location]);
            }
        }
        result
    }

    fn rows(&self, name: &str, shape: [usize; 2]) -> candle_core::Result<MatrixRows<'_>> {
        let stored = self.tensors.get(name);
        let stored = stored.filter(|_| !self.replaced.contains_key(name));
        let location = match stored {
            Some(location) if location.shape == shape => location,
            _ => {
                let numbers = self.stored(name, &shape)?.to_dtype(DType::F32)?;
                return Ok(MatrixRows::Computed(numbers.flatten_all()?.to_vec1()?));
            }
        };
        Ok(MatrixRows::Stored {
            location,
            bytes: self.bytes(location),
        })
    }

    /// The names and shapes of all tensors that are not packed.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        let all = self.tensors.iter();
        all.map(|(name, location)| (name.as_str(), location.shape.as_slice()))
    }

    /// Replaces the stored tensor `name` with one of the same shape.
    pub fn replace(&mut self, name: String, tensor: Tensor) {
        self.replaced.insert(name, tensor);
    }

    /// Stacks matrices of `columns` columns vertically and returns the stack as blocks of `dtype`.
    /// `None` unless at least one matrix is packed and its values convert to blocks without loss.
    /// Each part is a layer name and its number of rows.
    pub fn blocks(
        &self,
        parts: &[(String, usize)],
        columns: usize,
        dtype: GgmlDType,
    ) -> candle_core::Result<Option<Vec<u8>>> {
        let names = || {
            parts
                .iter()
                .map(|(layer, rows)| (format!("{layer}.weight"), *rows))
        };
        let exact = names().map(|(name, rows)| match self.packed.get(&name) {
            Some(packed) if dtype == GgmlDType::Q8_0 => {
                let blocks = self.unpack(&name, packed, &[rows, columns])?.q8_0();
                self.release(packed.parts());
                Ok(blocks)
            }
            _ => Ok(None),
        });
        let exact = exact.collect::<candle_core::Result<Vec<_>>>()?;
        if exact.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        for ((name, rows), exact) in names().zip(exact) {
            match exact {
                Some(blocks) => bytes.extend(blocks),
                None => {
                    let stored = self.stored(&name, &[rows, columns])?;
                    bytes.extend_from_slice(&QTensor::quantize(&stored, dtype)?.data()?);
                }
            }
        }
        Ok(Some(bytes))
    }

    fn unpack(
        &self,
        name: &str,
        packed: &Packed,
        shape: &[usize],
    ) -> candle_core::Result<PackedMatrix<'_>> {
        if packed.shape != shape {
            candle_core::bail!("tensor {name} is {:?}, not {shape:?}", packed.shape)
        }
        let scales = &packed.scales;
        let Some(dtype) = float_dtype(scales.dtype) else {
            candle_core::bail!("the scales of {name} are integers")
        };
        let count = scales.shape.iter().product::<usize>();
        let numbers = Tensor::from_raw_buffer(self.bytes(scales), dtype, &[count], &Device::Cpu)?;
        let parts = PackedParts {
            numbers: self.bytes(&packed.parts.numbers),
            zeros: self.bytes(&packed.parts.zeros),
            groups: packed.parts.groups.as_ref().map(|part| self.bytes(part)),
        };
        let scales = numbers.to_dtype(DType::F32)?.to_vec1()?;
        PackedMatrix::new(packed.packing, packed.shape, parts, scales)
            .map_err(|error| error.context(format!("{name} cannot be unpacked")))
    }

    fn bytes(&self, location: &Location) -> &[u8] {
        &self.files[location.file].all()[location.range.clone()]
    }

    /// Lets the system drop the pages of these tensors.
    fn release<'a>(&self, locations: impl IntoIterator<Item = &'a Location>) {
        for location in locations {
            self.files[location.file].release(&location.range);
        }
    }

    fn is_zero(&self, location: &Location) -> bool {
        self.bytes(location).iter().all(|byte| *byte == 0)
    }

    /// Total bytes of all tensors as stored.
    pub fn stored_bytes(&self) -> u64 {
        let packed = self.packed.values().flat_map(Packed::parts);
        let bytes = self
            .tensors
            .values()
            .chain(packed)
            .map(|location| location.range.len() as u64);
        bytes.sum()
    }
}

/// A matrix that is read row by row.
enum MatrixRows<'a> {
    Stored {
        location: &'a Location,
        bytes: &'a [u8],
    },
    Computed(Vec<f32>),
}

impl MatrixRows<'_> {
    /// Reads a row in f32; `out` must be one row long.
    fn read(&self, row: usize, out: &mut [f32]) {
        let width = out.len();
        let (location, bytes) = match self {
            Self::Computed(numbers) => {
                return out.copy_from_slice(&numbers[row * width..][..width]);
            }
            Self::Stored { location, bytes } => (location, bytes),
        };
        let size = location.range.len() / location.shape.iter().product::<usize>().max(1);
        let bytes = &bytes[row * width * size..][..width * size];
        match location.dtype {
            Dtype::BF16 => {
                for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                    *out = f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16);
                }
            }
            Dtype::F16 => {
                for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                    *out = f16::from_le_bytes(*bytes).to_f32();
                }
            }
            _ => {
                for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                    *out = f32::from_le_bytes(*bytes);
                }
            }
        }
    }
}

/// The candle type of a float tensor; `None` for other types.
fn float_dtype(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}

/// Joins names for a message. The list is limited, or a checkpoint of another family would fill the
/// screen.
fn join_names(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = names.collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}
