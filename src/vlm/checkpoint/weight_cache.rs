//! The cache of quantized weights: a GGUF file in the user's cache folder, written once, layer by
//! layer, and mapped at every later start.

#![allow(unsafe_code, reason = "mapped files")]

use super::files::{CheckpointFiles, FileData};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::platform;
use crate::text::hex;
use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::k_quants::{self, BlockQ4K, BlockQ8_0};
use candle_core::quantized::{GgmlDType, GgmlType, QStorage, QTensor, QuantizedType};
use candle_core::{CpuStorage, Device, Shape};
use memmap2::Mmap;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Tensors in the file start at multiples of this.
const ALIGNMENT: usize = 32;
/// Room for the table of tensors at the front of the file, whose size is not known before the
/// last tensor is written. A model of 80 layers takes a third of it.
const TABLE_BYTES: usize = 256 * 1024;
/// Changes whenever the names or the layout in the file change.
const LAYOUT: &str = "labeler-tui quantized weights 2";
/// Begins the names of the tensors' checksums in the table.
const CHECKSUM: &str = "checksum.";
/// Of the checksum of the table, at the end of the file.
const TRAILER: usize = size_of::<u32>();

/// The default folder of the cache.
pub fn default_folder() -> Result<PathBuf> {
    use etcetera::BaseStrategy;
    let base = etcetera::choose_base_strategy()
        .context(ErrorKind::Model, "cannot find the user's cache folder")
        .map_err(|error| {
            error.with_hint(
                "set HOME or XDG_CACHE_HOME; without it weights are quantized at every start",
            )
        })?;
    Ok(base.cache_dir().join("labeler-tui").join("quantized"))
}

/// The file under `folder` for these weights with the quantization `form`; `None` for a model that
/// is part of the program. Its name holds a digest of the weight files' sizes, times, tables and
/// samples: reading them whole would take longer than the load that the cache saves.
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
        let doing = || format!("cannot read {}", path.display());
        let mut open = std::fs::File::open(path).context(ErrorKind::Model, doing())?;
        let about = open.metadata().context(ErrorKind::Model, doing())?;
        feed(file.name.as_bytes());
        feed(&about.len().to_le_bytes());
        let changed = about.modified().ok().and_then(|time| {
            let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(since.as_nanos())
        });
        feed(&changed.unwrap_or_default().to_le_bytes());
        let mut sample = Vec::new();
        for i in 0..SAMPLES {
            // The first one holds the beginning of the table of tensors.
            let at = about.len() / SAMPLES * i;
            sample.clear();
            open.seek(SeekFrom::Start(at))
                .and_then(|_| (&mut open).take(SAMPLE_BYTES).read_to_end(&mut sample))
                .context(ErrorKind::Model, doing())?;
            feed(&sample);
        }
    }
    let digest = hash.finalize();
    let short = hex(&digest[..12]);
    Ok(Some(folder.join(format!("{form}-{short}.gguf"))))
}

/// What loading does with the cache.
#[derive(Clone, Default)]
pub enum WeightCache {
    /// Nothing is cached.
    #[default]
    Off,
    /// Adds each quantized tensor to a file; `None` inside once that has failed or finished.
    Write(Arc<Mutex<Option<Writer>>>),
    /// Reads the tensors from a file.
    Map(Arc<Reader>),
}

impl WeightCache {
    pub fn write(writer: Writer) -> Self {
        Self::Write(Arc::new(Mutex::new(Some(writer))))
    }

    pub fn map(reader: Reader) -> Self {
        Self::Map(Arc::new(reader))
    }

    /// The tensor `name`, from the file or from `quantize`.
    pub fn tensor(
        &self,
        name: &str,
        dtype: GgmlDType,
        shape: &Shape,
        device: &Device,
        quantize: impl FnOnce() -> candle_core::Result<QTensor>,
    ) -> candle_core::Result<QuantizedTensor> {
        match self {
            Self::Off => quantize().map(QuantizedTensor::own),
            Self::Map(reader) => {
                let mapped = reader.get(name, dtype, shape)?;
                match device {
                    Device::Cpu => Ok(mapped),
                    device => mapped.to_device(device).map(QuantizedTensor::own),
                }
            }
            Self::Write(writer) => {
                let tensor = quantize()?;
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(open) = writer.as_mut()
                    && let Err(error) = open.put(name, &tensor)
                {
                    tracing::warn!(%error, "cannot cache the quantized weights");
                    *writer = None;
                }
                Ok(QuantizedTensor::own(tensor))
            }
        }
    }

    /// Finishes writing. `false` if nothing was cached.
    pub fn finish(&self) -> Result<bool> {
        let Self::Write(writer) = self else {
            return Ok(false);
        };
        let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match writer {
            Some(writer) => writer.finish().map(|_| true),
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

fn align(at: usize) -> usize {
    at.next_multiple_of(ALIGNMENT)
}

struct Written {
    name: String,
    shape: Vec<usize>,
    code: u32,
    offset: usize,
    checksum: u32,
}

/// Writes tensors one by one. The final name does not exist before [`Writer::finish`].
pub struct Writer {
    target: PathBuf,
    file: tempfile::NamedTempFile,
    tensors: Vec<Written>,
    at: usize,
}

impl Writer {
    pub fn create(target: &Path) -> Result<Self> {
        let doing = format!("cannot write {}", target.display());
        let folder = target.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).context(ErrorKind::Model, &doing)?;
        let mut file = tempfile::Builder::new()
            .prefix(".quantizing-")
            .tempfile_in(folder)
            .context(ErrorKind::Model, &doing)?;
        file.seek(SeekFrom::Start(TABLE_BYTES as u64))
            .context(ErrorKind::Model, &doing)?;
        Ok(Self {
            target: target.to_owned(),
            file,
            tensors: Vec::new(),
            at: 0,
        })
    }

    pub fn put(&mut self, name: &str, tensor: &QTensor) -> Result<()> {
        let doing = || format!("cannot write {}", self.target.display());
        let data = tensor.data().context(ErrorKind::Model, doing())?;
        let padding = align(data.len()) - data.len();
        self.file
            .write_all(&data)
            .and_then(|()| self.file.write_all(&[0; ALIGNMENT][..padding]))
            .context(ErrorKind::Model, doing())?;
        self.tensors.push(Written {
            name: name.to_owned(),
            shape: tensor.shape().dims().to_vec(),
            code: type_code(tensor.dtype())?,
            offset: self.at,
            checksum: crc32fast::hash(&data),
        });
        self.at += data.len() + padding;
        Ok(())
    }

    /// Writes the table, syncs and renames.
    pub fn finish(mut self) -> Result<PathBuf> {
        let doing = format!("cannot write {}", self.target.display());
        let table = self.table()?;
        let file = self.file.as_file_mut();
        file.write_all(&crc32fast::hash(&table).to_le_bytes())
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(&table))
            .and_then(|()| file.sync_all())
            .context(ErrorKind::Model, &doing)?;
        self.file
            .persist(&self.target)
            .context(ErrorKind::Model, &doing)?;
        Ok(self.target)
    }

    /// The GGUF header, filled up to [`TABLE_BYTES`] with blanks.
    fn table(&self) -> Result<Vec<u8>> {
        const NUMBER: u32 = 4;
        const TEXT: u32 = 8;
        let mut table = Vec::with_capacity(TABLE_BYTES);
        let number = |table: &mut Vec<u8>, value: usize| {
            table.extend((value as u64).to_le_bytes());
        };
        let string = |table: &mut Vec<u8>, text: &str| {
            table.extend((text.len() as u64).to_le_bytes());
            table.extend(text.as_bytes());
        };
        let mut tensors = Vec::new();
        for tensor in &self.tensors {
            string(&mut tensors, &tensor.name);
            tensors.extend((tensor.shape.len() as u32).to_le_bytes());
            for dim in tensor.shape.iter().rev() {
                number(&mut tensors, *dim);
            }
            tensors.extend(tensor.code.to_le_bytes());
            number(&mut tensors, tensor.offset);
        }
        table.extend(b"GGUF");
        table.extend(3u32.to_le_bytes());
        number(&mut table, self.tensors.len());
        number(&mut table, 2 + self.tensors.len());
        for tensor in &self.tensors {
            string(&mut table, &format!("{CHECKSUM}{}", tensor.name));
            table.extend(NUMBER.to_le_bytes());
            table.extend(tensor.checksum.to_le_bytes());
        }
        for (key, value) in [("general.name", LAYOUT), ("filler", "")] {
            string(&mut table, key);
            table.extend(TEXT.to_le_bytes());
            if !value.is_empty() {
                string(&mut table, value);
            }
        }
        let used = table.len() + size_of::<u64>() + tensors.len();
        let filler = TABLE_BYTES.checked_sub(used).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("{} tensors need a larger table", self.tensors.len()),
            )
        })?;
        string(&mut table, &" ".repeat(filler));
        table.extend(tensors);
        Ok(table)
    }
}

/// The number of a type in GGUF.
fn type_code(dtype: GgmlDType) -> Result<u32> {
    match dtype {
        GgmlDType::Q8_0 => Ok(8),
        GgmlDType::Q4K => Ok(12),
        other => Err(Error::new(
            ErrorKind::Internal,
            format!("weights of type {other:?} are not cached"),
        )),
    }
}

/// A mapped file of quantized tensors.
pub struct Reader {
    map: Arc<Mmap>,
    content: Content,
}

/// Whether the table at the front is the one that was written.
fn is_table_whole(bytes: &[u8]) -> bool {
    let (Some(table), Some(trailer)) = (bytes.get(..TABLE_BYTES), bytes.last_chunk::<TRAILER>())
    else {
        return false;
    };
    crc32fast::hash(table) == u32::from_le_bytes(*trailer)
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
        if !is_table_whole(&map) {
            return Err(Error::new(
                ErrorKind::Model,
                format!("{}: it is damaged", doing()),
            ));
        }
        let content =
            Content::read(&mut Cursor::new(&map[..])).context(ErrorKind::Model, doing())?;
        Ok(Some(Self {
            map: Arc::new(map),
            content,
        }))
    }

    /// The named tensor, whose bytes stay in the mapping.
    ///
    /// # Errors
    /// A tensor that is missing, cut off, damaged, or of another type or shape.
    pub fn get(
        &self,
        name: &str,
        dtype: GgmlDType,
        shape: &Shape,
    ) -> candle_core::Result<QuantizedTensor> {
        let Some(info) = self.content.tensor_infos.get(name) else {
            candle_core::bail!("no {name} among the cached weights")
        };
        if info.ggml_dtype != dtype || info.shape != *shape {
            candle_core::bail!(
                "the cached {name} is {:?} {:?}, not {dtype:?} {shape:?}",
                info.ggml_dtype,
                info.shape
            )
        }
        let len = shape.elem_count() / dtype.block_size() * dtype.type_size();
        let start = (self.content.tensor_data_offset).checked_add(info.offset);
        let range = start
            .and_then(|start| usize::try_from(start).ok())
            .and_then(|start| Some(start..start.checked_add(len)?));
        let Some((range, bytes)) =
            range.and_then(|range| Some((range.clone(), self.map.get(range)?)))
        else {
            candle_core::bail!("the cached {name} is cut off")
        };
        let checksum = self.content.metadata.get(&format!("{CHECKSUM}{name}"));
        let checksum = checksum.and_then(|value| value.to_u32().ok());
        if checksum != Some(crc32fast::hash(bytes)) {
            candle_core::bail!("the cached {name} is damaged")
        }
        QuantizedTensor::mapped(self.map.clone(), range, dtype, shape)
    }
}

/// A quantized tensor, and its bytes in the mapped file if it comes from one.
pub struct QuantizedTensor {
    pub tensor: QTensor,
    mapped: Option<(Arc<Mmap>, Range<usize>)>,
}

impl QuantizedTensor {
    fn own(tensor: QTensor) -> Self {
        Self {
            tensor,
            mapped: None,
        }
    }

    fn mapped(
        map: Arc<Mmap>,
        range: Range<usize>,
        dtype: GgmlDType,
        shape: &Shape,
    ) -> candle_core::Result<Self> {
        let storage: Box<dyn QuantizedType> = match dtype {
            GgmlDType::Q8_0 => Box::new(Blocks::<BlockQ8_0>::new(map.clone(), range.clone())?),
            GgmlDType::Q4K => Box::new(Blocks::<BlockQ4K>::new(map.clone(), range.clone())?),
            other => candle_core::bail!("weights of type {other:?} cannot be mapped"),
        };
        Ok(Self {
            tensor: QTensor::new(QStorage::Cpu(storage), shape.clone())?,
            mapped: Some((map, range)),
        })
    }

    /// Copies the tensor to an accelerator.
    pub fn to_device(&self, device: &Device) -> candle_core::Result<QTensor> {
        let storage = QStorage::from_data(self.tensor.data()?, device, self.tensor.dtype())?;
        QTensor::new(storage, self.tensor.shape().clone())
    }

    /// Lets candle build its own, faster layout of a mapped tensor and releases the file's bytes.
    pub fn repack(self) -> candle_core::Result<QTensor> {
        if self.mapped.is_some() {
            let (_, columns) = self.tensor.shape().dims2()?;
            let row =
                candle_core::Tensor::zeros((1, columns), candle_core::DType::F32, &Device::Cpu)?;
            row.apply_op1_no_bwd(&self.tensor)?;
            self.release();
        }
        Ok(self.tensor)
    }

    /// Tells the system that the file's bytes are not needed in memory: the weights are there in
    /// another layout by now, and would count twice.
    pub fn release(&self) {
        if let Some((map, range)) = &self.mapped
            && let Err(error) = platform::forget(map, range)
        {
            tracing::debug!(%error, "the system keeps mapped weights in memory");
        }
    }
}

/// A type of blocks for which any bytes are valid.
///
/// # Safety
/// The type is made of plain numbers, without padding.
unsafe trait PlainBlock: GgmlType {}

// SAFETY: scales and weights as whole numbers and f16.
unsafe impl PlainBlock for BlockQ4K {}
// SAFETY: as above.
unsafe impl PlainBlock for BlockQ8_0 {}

/// Blocks of one type in a mapped file.
struct Blocks<T> {
    map: Arc<Mmap>,
    range: Range<usize>,
    kind: PhantomData<T>,
}

impl<T: PlainBlock> Blocks<T> {
    fn new(map: Arc<Mmap>, range: Range<usize>) -> candle_core::Result<Self> {
        let bytes = &map[range.clone()];
        if bytes.as_ptr().align_offset(align_of::<T>()) != 0
            || !bytes.len().is_multiple_of(size_of::<T>())
        {
            candle_core::bail!("cached weights do not start or end at a block")
        }
        Ok(Self {
            map,
            range,
            kind: PhantomData,
        })
    }

    fn blocks(&self) -> &[T] {
        let bytes = &self.map[self.range.clone()];
        // SAFETY: `new` checked alignment and length, and any bytes are a valid block.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) }
    }
}

impl<T: PlainBlock + 'static> QuantizedType for Blocks<T> {
    fn dtype(&self) -> GgmlDType {
        T::DTYPE
    }

    fn matmul_t(
        &self,
        mkn: (usize, usize, usize),
        lhs: &[f32],
        dst: &mut [f32],
    ) -> candle_core::Result<()> {
        k_quants::matmul(mkn, lhs, self.blocks(), dst)
    }

    fn matmul_t_f16(
        &self,
        mkn: (usize, usize, usize),
        lhs: &[half::f16],
        dst: &mut [half::f16],
    ) -> candle_core::Result<()> {
        k_quants::matmul_f16(mkn, lhs, self.blocks(), dst)
    }

    fn embedding(
        &self,
        ids: &[u32],
        rows: usize,
        hidden: usize,
    ) -> candle_core::Result<CpuStorage> {
        let width = hidden / T::BLCK_SIZE;
        let blocks = self.blocks();
        if !hidden.is_multiple_of(T::BLCK_SIZE) || blocks.len() != rows * width {
            candle_core::bail!("{} blocks are not {rows} rows of {hidden}", blocks.len())
        }
        let mut out = vec![0f32; ids.len() * hidden];
        for (id, row) in ids.iter().zip(out.chunks_exact_mut(hidden)) {
            let at = *id as usize * width;
            match blocks.get(at..at + width) {
                Some(blocks) => T::to_float(blocks, row),
                None => candle_core::bail!("row {id} of {rows}"),
            }
        }
        Ok(CpuStorage::F32(out))
    }

    fn dequantize(&self, elem_count: usize) -> candle_core::Result<CpuStorage> {
        let mut out = vec![0f32; elem_count];
        T::to_float(self.blocks(), &mut out);
        Ok(CpuStorage::F32(out))
    }

    fn storage_size_in_bytes(&self) -> usize {
        self.range.len()
    }

    fn as_ptr(&self) -> *const u8 {
        self.map[self.range.clone()].as_ptr()
    }

    fn block_size(&self) -> usize {
        T::BLCK_SIZE
    }

    // Candle quantizes only into storage that it made itself; a mapped file is never written.
    fn from_float(&mut self, _: &[f32]) {}

    fn from_float_imatrix(&mut self, _: &[f32], _: &[f32], _: usize) {}

    fn size(&self) -> usize {
        self.range.len()
    }
}

#[cfg(test)]
mod tests;
