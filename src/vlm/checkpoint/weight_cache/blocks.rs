//! Quantized candle tensors that read their blocks from a mapped file.

#![allow(unsafe_code, reason = "reads blocks of numbers from a mapped file")]

use crate::platform;
use candle_core::quantized::k_quants::{self, BlockQ4K, BlockQ8_0};
use candle_core::quantized::{GgmlDType, GgmlType, QStorage, QTensor, QuantizedType};
use candle_core::{CpuStorage, Device, Shape};
use memmap2::Mmap;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// A quantized tensor, with its bytes in the mapped file if it comes from one.
pub struct QuantizedTensor {
    pub tensor: QTensor,
    mapped: Option<(Arc<Mmap>, Range<usize>)>,
}

impl QuantizedTensor {
    pub fn owned(tensor: QTensor) -> Self {
        Self {
            tensor,
            mapped: None,
        }
    }

    /// A tensor whose blocks stay in the mapped file.
    pub fn mapped(
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

    /// Makes candle build its faster layout of a mapped tensor and releases the file's bytes.
    pub fn repack(self) -> candle_core::Result<QTensor> {
        if self.mapped.is_some() {
            let (_, columns) = self.tensor.shape().dims2()?;
            let row =
                candle_core::Tensor::zeros((1, columns), candle_core::DType::F32, &Device::Cpu)?;
            // The first product builds the layout.
            row.apply_op1_no_bwd(&self.tensor)?;
            self.release();
        }
        Ok(self.tensor)
    }

    /// Lets the system drop the file's pages: the weights are in memory in another layout by now and
    /// would count twice.
    pub fn release(&self) {
        if let Some((map, range)) = &self.mapped
            && let Err(error) = platform::release_pages(map, range)
        {
            tracing::debug!(%error, "the system keeps mapped weights in memory");
        }
    }
}

/// A block type for which any byte pattern is valid.
///
/// # Safety
/// The type consists of integers and floats, without padding.
unsafe trait PodBlock: GgmlType {}

// SAFETY: consists of integer and f16 scales and weights.
unsafe impl PodBlock for BlockQ4K {}
// SAFETY: as above.
unsafe impl PodBlock for BlockQ8_0 {}

/// Blocks of one type in a mapped file.
struct Blocks<T> {
    map: Arc<Mmap>,
    range: Range<usize>,
    kind: PhantomData<T>,
}

impl<T: PodBlock> Blocks<T> {
    fn new(map: Arc<Mmap>, range: Range<usize>) -> candle_core::Result<Self> {
        let bytes = &map[range.clone()];
        if bytes.as_ptr().align_offset(align_of::<T>()) != 0
            || !bytes.len().is_multiple_of(size_of::<T>())
        {
            candle_core::bail!("cached weights do not start or end at a block boundary")
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

impl<T: PodBlock + 'static> QuantizedType for Blocks<T> {
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

    // Candle quantizes only into storage that it created itself; a mapped file is never written.
    fn from_float(&mut self, _: &[f32]) {}

    fn from_float_imatrix(&mut self, _: &[f32], _: &[f32], _: usize) {}

    fn size(&self) -> usize {
        self.range.len()
    }
}
