//! The linear layer of every model: dense, quantized by candle, or packed for our own kernel. Models
//! do not know which.

use super::Backend;
use super::int8::{Bits, Int8Matrix};
use super::launches::launch;
use super::matmul::matmul_t;
use super::ops::{Activation, add_in_place, is_cpu_f32, repeated_shapes};
use super::output::EpilogueArgs;
use super::packed::F32Matrix;
use crate::vlm::checkpoint::weight_cache::WeightCache;
use crate::vlm::checkpoint::weights::Weights;
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Result, Tensor};
use std::sync::Arc;

/// How the weights of linear layers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantization {
    Q8_0,
    Q4K,
}

impl Quantization {
    /// For embeddings and output heads of quantized models: every answer depends on them.
    pub const OF_VOCABULARY: Self = Self::Q8_0;

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4k",
        }
    }

    /// The corresponding candle type.
    pub(crate) fn dtype(self) -> GgmlDType {
        match self {
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q4K => GgmlDType::Q4K,
        }
    }

    /// The type for rows of `width`: the next finer one if its blocks do not divide the width.
    /// `None` if the layer must stay dense.
    pub(crate) fn for_width(self, width: usize) -> Option<GgmlDType> {
        [self.dtype(), GgmlDType::Q8_0]
            .into_iter()
            .find(|dtype| width.is_multiple_of(dtype.block_size()))
    }
}

/// The in-memory format of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatrixFormat {
    Dense,
    /// Packed for our own kernel.
    Int8(Bits),
    /// Quantized by candle.
    Quantized(GgmlDType),
}

impl MatrixFormat {
    /// The format of matrices with `columns` columns.
    pub fn of(quantization: Option<Quantization>, columns: usize, on_cpu: bool) -> Self {
        let Some(dtype) = quantization.and_then(|kind| kind.for_width(columns)) else {
            return Self::Dense;
        };
        match Bits::of(dtype).filter(|_| on_cpu) {
            Some(bits) => Self::Int8(bits),
            None => Self::Quantized(dtype),
        }
    }

    /// Bytes of a matrix of this shape; `dense` is the type of dense matrices.
    pub fn bytes(self, shape: (usize, usize), dense: DType) -> usize {
        let numbers = shape.0 * shape.1;
        match self {
            Self::Dense => numbers * dense.size_in_bytes(),
            Self::Int8(bits) => Int8Matrix::size(shape, bits),
            Self::Quantized(dtype) => numbers / dtype.block_size() * dtype.type_size(),
        }
    }
}

/// Where and in which formats weights are loaded.
#[derive(Debug, Clone)]
pub struct Placement {
    pub device: Device,
    pub backend: Backend,
    /// Type of dense weights; with [`Backend::Tensors`], also of activations.
    pub dtype: DType,
    pub quantization: Option<Quantization>,
    pub cache: WeightCache,
}

impl Placement {
    /// The format of matrices with `columns` columns.
    pub fn form(&self, quantization: Option<Quantization>, columns: usize) -> MatrixFormat {
        MatrixFormat::of(quantization, columns, self.device.is_cpu())
    }

    /// Whether dense matrices are packed for our own kernel.
    pub fn packs_dense(&self) -> bool {
        self.backend == Backend::Slices && self.dtype == DType::F32 && F32Matrix::is_supported()
    }

    /// The type of activations.
    pub fn activations(&self) -> DType {
        match self.backend {
            Backend::Slices => DType::F32,
            Backend::Tensors => self.dtype,
        }
    }

    /// Loads a small tensor (norm, bias) in the activation type.
    pub fn tensor(&self, weights: &Weights, name: &str, shape: &[usize]) -> Result<Tensor> {
        weights
            .stored(name, shape)?
            .to_dtype(self.activations())?
            .to_device(&self.device)
    }
}

#[derive(Debug, Clone)]
enum Matrix {
    /// `(out, in)`.
    Dense(Tensor),
    /// A dense matrix packed for our own kernel.
    Packed(Arc<F32Matrix>),
    /// Quantized, on a processor that our kernel supports.
    Int8(Arc<Int8Matrix>),
    Quantized(Arc<QTensor>),
}

impl Matrix {
    /// Packs a dense matrix if there is a kernel for it. Not for embeddings, whose rows are only
    /// looked up.
    fn pack_dense(self, placement: &Placement) -> Result<Self> {
        match &self {
            Self::Dense(matrix) if placement.packs_dense() => {
                Ok(Self::Packed(Arc::new(F32Matrix::pack(matrix)?)))
            }
            _ => Ok(self),
        }
    }
}

/// A linear layer: `y = x W^T + b`, with `W` of `(out, in)`.
#[derive(Debug, Clone)]
pub struct Linear {
    matrix: Matrix,
    bias: Option<Tensor>,
    activations: DType,
}

/// Rows of a half-precision matrix that are widened to f32 at a time.
const WIDEN_ROWS: usize = 1024;

/// Up to this many rows, candle's quantized matmul kernels on a GPU are fast.
const FEW_ROWS: usize = 8;

impl Linear {
    /// Loads `name.weight`, `(rows, columns)`, and `name.bias` if `bias`.
    pub fn load(
        weights: &Weights,
        placement: &Placement,
        name: &str,
        (rows, columns): (usize, usize),
        bias: bool,
    ) -> Result<Self> {
        Self::load_stacked(
            weights,
            placement,
            &[(name.to_owned(), rows)],
            columns,
            bias,
        )
    }

    /// Loads several layers with the same input as one layer with concatenated outputs:
    /// `(tokens, columns)` to `(tokens, sum of the parts' rows)`. Each part is a layer name and its
    /// number of rows.
    pub fn load_stacked(
        weights: &Weights,
        placement: &Placement,
        parts: &[(String, usize)],
        columns: usize,
        bias: bool,
    ) -> Result<Self> {
        let kind = placement.quantization;
        let matrix =
            Self::matrix(weights, placement, parts, columns, kind)?.pack_dense(placement)?;
        let mut biases = Vec::new();
        for (name, rows) in parts.iter().filter(|_| bias) {
            biases.push(placement.tensor(weights, &format!("{name}.bias"), &[*rows])?);
        }
        let bias = match bias {
            true => Some(Tensor::cat(&biases, 0)?),
            false => None,
        };
        Ok(Self {
            matrix,
            bias,
            activations: placement.activations(),
        })
    }

    /// Loads `name.weight`, `(rows, columns)`, with the given quantization. It may serve as an
    /// embedding.
    pub fn load_as(
        weights: &Weights,
        placement: &Placement,
        name: &str,
        (rows, columns): (usize, usize),
        quantization: Option<Quantization>,
    ) -> Result<Self> {
        let parts = [(name.to_owned(), rows)];
        Ok(Self {
            matrix: Self::matrix(weights, placement, &parts, columns, quantization)?,
            bias: None,
            activations: placement.activations(),
        })
    }

    fn matrix(
        weights: &Weights,
        placement: &Placement,
        parts: &[(String, usize)],
        columns: usize,
        quantization: Option<Quantization>,
    ) -> Result<Matrix> {
        let stored = || -> Result<Tensor> {
            let mut matrices = Vec::with_capacity(parts.len());
            for (name, rows) in parts {
                matrices.push(weights.stored(&format!("{name}.weight"), &[*rows, columns])?);
            }
            match matrices.len() {
                1 => Ok(matrices.remove(0)),
                _ => Tensor::cat(&matrices, 0),
            }
        };
        let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
        let name = names.join("+");
        let dtype = match placement.form(quantization, columns) {
            MatrixFormat::Dense => return dense(stored()?, placement),
            MatrixFormat::Int8(bits) => {
                let matrix = packed(weights, placement, &name, bits, parts, columns, |row| row)?;
                return Ok(Matrix::Int8(matrix));
            }
            MatrixFormat::Quantized(dtype) => dtype,
        };
        let shape = (parts.iter().map(|(_, rows)| rows).sum::<usize>(), columns);
        let quantized = placement
            .cache
            .tensor(&name, dtype, shape, &placement.device, || {
                match weights.blocks(parts, columns, dtype)? {
                    Some(blocks) => {
                        let blocks = QStorage::from_data(blocks.into(), &placement.device, dtype)?;
                        QTensor::new(blocks, shape)
                    }
                    None => QTensor::quantize_onto(&stored()?, dtype, &placement.device),
                }
            })?;
        Ok(Matrix::Quantized(Arc::new(quantized.repack()?)))
    }

    /// Creates a layer from a dense matrix, `(out, in)`, on the CPU in any float type, and an
    /// optional bias.
    pub fn dense(matrix: Tensor, bias: Option<Tensor>, placement: &Placement) -> Result<Self> {
        Ok(Self {
            matrix: dense(matrix, placement)?.pack_dense(placement)?,
            bias,
            activations: placement.activations(),
        })
    }

    /// Applies the layer: `(tokens, in)` to `(tokens, out)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, None, None)
    }

    /// Applies the layer and then `activation`.
    pub fn forward_into(&self, activation: Activation, x: &Tensor) -> Result<Tensor> {
        self.apply(x, Some(activation), None)
    }

    /// Applies the layer and adds `residual`, `(tokens, out)`.
    pub fn forward_onto(&self, residual: &Tensor, x: &Tensor) -> Result<Tensor> {
        self.apply(x, None, Some(residual))
    }

    fn apply(
        &self,
        x: &Tensor,
        activation: Option<Activation>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let args = EpilogueArgs {
            bias: self.bias.as_ref(),
            activation,
            residual,
        };
        let y = match &self.matrix {
            // These kernels apply the epilogue while they write.
            Matrix::Int8(matrix) => return matrix.forward(x, args),
            Matrix::Packed(matrix) => return matrix.forward(x, args),
            Matrix::Quantized(matrix) if x.device().is_cuda() && x.dim(0)? > FEW_ROWS => {
                dequantized_matmul(x, matrix)?
            }
            Matrix::Quantized(matrix) if x.dtype() == DType::F32 => {
                launch!(x.apply_op1_no_bwd(matrix.as_ref())?)
            }
            Matrix::Quantized(matrix) => {
                let wide = launch!(x.to_dtype(DType::F32)?);
                let y = launch!(wide.apply_op1_no_bwd(matrix.as_ref())?);
                launch!(y.to_dtype(self.activations)?)
            }
            Matrix::Dense(matrix) if is_cpu_f32(x) && is_cpu_f32(matrix) => matmul_t(x, matrix)?,
            Matrix::Dense(matrix) if matrix.dtype() == x.dtype() => {
                launch!(x.matmul(&matrix.t()?)?)
            }
            Matrix::Dense(matrix) => widened_matmul(x, matrix)?,
        };
        let y = match &self.bias {
            Some(bias) => add(y, bias)?,
            None => y,
        };
        let y = match activation {
            Some(activation) => activation.apply(&y)?,
            None => y,
        };
        match residual {
            Some(residual) => add(y, residual),
            None => Ok(y),
        }
    }

    /// Looks up rows of a matrix that is an embedding: `(ids)` to `(ids, in)`.
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        let rows = match &self.matrix {
            Matrix::Int8(matrix) => matrix.gather(ids)?,
            Matrix::Quantized(matrix) => matrix.embedding(ids)?,
            Matrix::Packed(matrix) => matrix.gather(ids)?,
            Matrix::Dense(matrix) => matrix.index_select(ids, 0)?,
        };
        rows.to_dtype(self.activations)
    }

    /// Whether a product with many rows reads the weights only once.
    pub fn reads_weights_once(&self) -> bool {
        !matches!(self.matrix, Matrix::Quantized(_))
    }

    /// Copies these rows of the matrix into a layer with as many outputs and no bias.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        let matrix = match &self.matrix {
            Matrix::Int8(matrix) => Matrix::Int8(Arc::new(matrix.select(rows)?)),
            Matrix::Quantized(matrix) => Matrix::Quantized(Arc::new(select_rows(matrix, rows)?)),
            Matrix::Packed(matrix) => {
                let rows = matrix.gather(&Tensor::new(rows, &Device::Cpu)?)?;
                Matrix::Packed(Arc::new(F32Matrix::pack(&rows)?))
            }
            Matrix::Dense(matrix) => {
                let rows = Tensor::new(rows, matrix.device())?;
                Matrix::Dense(matrix.index_select(&rows, 0)?)
            }
        };
        Ok(Self {
            matrix,
            bias: None,
            activations: self.activations,
        })
    }

    /// Bytes of the weights, all of which one step reads.
    pub fn bytes(&self) -> usize {
        match &self.matrix {
            Matrix::Int8(matrix) => matrix.as_bytes().len(),
            Matrix::Quantized(matrix) => matrix.storage_size_in_bytes(),
            Matrix::Packed(matrix) => matrix.bytes(),
            Matrix::Dense(matrix) => matrix.elem_count() * matrix.dtype().size_in_bytes(),
        }
    }
}

/// Adds `other`, a row or a tensor of the same shape, to the output of a product.
fn add(y: Tensor, other: &Tensor) -> Result<Tensor> {
    if is_cpu_f32(&y) {
        add_in_place(&y, other)?;
        return Ok(y);
    }
    let _shapes = repeated_shapes(&y);
    launch!(y.broadcast_add(other))
}

/// Stacks matrices vertically in the layout of our kernel, or reads the result from the weight
/// cache. Row `i` of the result is row `order(i)` of the stack.
pub(super) fn packed(
    weights: &Weights,
    placement: &Placement,
    name: &str,
    bits: Bits,
    parts: &[(String, usize)],
    columns: usize,
    order: impl Fn(usize) -> usize + Sync,
) -> Result<Arc<Int8Matrix>> {
    let shape = (parts.iter().map(|(_, rows)| rows).sum::<usize>(), columns);
    let matrix = placement.cache.matrix(
        name,
        bits.name(),
        shape,
        |bytes| Int8Matrix::from_bytes(shape, bits, bytes),
        || {
            weights.with_rows(parts, columns, |read| {
                Int8Matrix::pack(shape, bits, &|row, out| read(order(row), out))
            })
        },
        Int8Matrix::as_bytes,
    )?;
    Ok(Arc::new(matrix))
}

/// Copies rows without dequantizing them.
fn select_rows(matrix: &QTensor, rows: &[u32]) -> Result<QTensor> {
    let (all, columns) = matrix.shape().dims2()?;
    let data = matrix.data()?;
    let width = data.len() / all;
    let mut bytes = Vec::with_capacity(rows.len() * width);
    for row in rows {
        match data.get(*row as usize * width..(*row as usize + 1) * width) {
            Some(row) => bytes.extend_from_slice(row),
            None => candle_core::bail!("row {row} of {all}"),
        }
    }
    let storage = QStorage::from_data(bytes.into(), &matrix.device(), matrix.dtype())?;
    QTensor::new(storage, (rows.len(), columns))
}

fn dense(matrix: Tensor, placement: &Placement) -> Result<Matrix> {
    let matrix = matrix.to_dtype(placement.dtype)?;
    Ok(Matrix::Dense(matrix.to_device(&placement.device)?))
}

/// Dequantizes a matrix and multiplies by it in the type of `x`. On a GPU, candle's quantized product
/// of many rows takes ten times as long as a dense one; dequantizing costs little in comparison.
fn dequantized_matmul(x: &Tensor, matrix: &QTensor) -> Result<Tensor> {
    let matrix = match x.dtype() {
        DType::F32 => launch!(matrix.dequantize(x.device())?),
        // f16 takes half the memory and represents eight bits and a scale well enough.
        half => {
            let matrix = launch!(matrix.dequantize_f16(x.device())?);
            launch!(matrix.to_dtype(half)?)
        }
    };
    Ok(launch!(x.matmul(&matrix.t()?)?))
}

/// Multiplies by a half-precision matrix on the CPU. Widening blocks of rows to f32 is far faster
/// than a half-precision product.
fn widened_matmul(x: &Tensor, matrix: &Tensor) -> Result<Tensor> {
    let rows = matrix.dim(0)?;
    let mut parts = Vec::with_capacity(rows.div_ceil(WIDEN_ROWS));
    for start in (0..rows).step_by(WIDEN_ROWS) {
        let block = matrix.narrow(0, start, WIDEN_ROWS.min(rows - start))?;
        parts.push(matmul_t(x, &block.to_dtype(x.dtype())?)?);
    }
    Tensor::cat(&parts, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dequantized_product_equals_the_dense_one() {
        let matrix = Tensor::rand(-1f32, 1f32, (70, 64), &Device::Cpu).unwrap();
        let quantized = QTensor::quantize(&matrix, GgmlDType::Q8_0).unwrap();
        let x = Tensor::rand(-1f32, 1f32, (9, 64), &Device::Cpu).unwrap();
        let product = dequantized_matmul(&x, &quantized).unwrap();
        let dense = quantized.dequantize(&Device::Cpu).unwrap();
        let expected = x.matmul(&dense.t().unwrap()).unwrap();
        let difference = (product - expected).unwrap().abs().unwrap();
        let furthest: f32 = difference.max_all().unwrap().to_scalar().unwrap();
        assert!(furthest < 1e-5);
    }

    /// For dense matrices and for every quantized format.
    #[test]
    fn selected_rows_give_the_same_outputs() {
        let matrix = Tensor::rand(-1f32, 1f32, (70, 64), &Device::Cpu).unwrap();
        let x = Tensor::rand(-1f32, 1f32, (3, 64), &Device::Cpu).unwrap();
        let quantized = || QTensor::quantize(&matrix, GgmlDType::Q8_0).unwrap();
        let mut forms = vec![
            Matrix::Dense(matrix.clone()),
            Matrix::Quantized(Arc::new(quantized())),
        ];
        let rows = matrix.to_vec2::<f32>().unwrap();
        for bits in [GgmlDType::Q8_0, GgmlDType::Q4K]
            .into_iter()
            .filter_map(Bits::of)
        {
            let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&rows[row]);
            let int8 = Int8Matrix::pack((70, 64), bits, &read).unwrap();
            forms.push(Matrix::Int8(Arc::new(int8)));
        }
        for matrix in forms {
            let all = Linear {
                matrix,
                bias: None,
                activations: DType::F32,
            };
            let rows = [69u32, 0, 33, 33, 7];
            let some = all.select(&rows).unwrap();
            let expected = all.forward(&x).unwrap();
            let expected = expected.index_select(&Tensor::new(&rows, &Device::Cpu).unwrap(), 1);
            assert_eq!(
                some.forward(&x).unwrap().to_vec2::<f32>().unwrap(),
                expected.unwrap().to_vec2::<f32>().unwrap()
            );
            assert!(all.select(&[70]).is_err());
        }
    }

    #[test]
    fn a_matrix_takes_the_estimated_bytes() {
        for (rows, columns) in [(70, 64), (64, 128), (33, 512), (5, 48)] {
            let matrix = Tensor::rand(-1f32, 1f32, (rows, columns), &Device::Cpu).unwrap();
            let numbers = matrix.to_vec2::<f32>().unwrap();
            for kind in [None, Some(Quantization::Q8_0), Some(Quantization::Q4K)] {
                let form = MatrixFormat::of(kind, columns, true);
                let matrix = match form {
                    MatrixFormat::Dense => Matrix::Dense(matrix.to_dtype(DType::BF16).unwrap()),
                    MatrixFormat::Quantized(dtype) => {
                        let quantized = QTensor::quantize(&matrix, dtype).unwrap();
                        Matrix::Quantized(Arc::new(quantized))
                    }
                    MatrixFormat::Int8(bits) => {
                        let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&numbers[row]);
                        let int8 = Int8Matrix::pack((rows, columns), bits, &read).unwrap();
                        Matrix::Int8(Arc::new(int8))
                    }
                };
                let layer = Linear {
                    matrix,
                    bias: None,
                    activations: DType::F32,
                };
                let estimate = form.bytes((rows, columns), DType::BF16);
                assert_eq!(layer.bytes(), estimate, "{kind:?} {rows}x{columns}");
            }
        }
    }

    #[test]
    fn a_width_that_blocks_do_not_divide_uses_a_finer_type() {
        assert_eq!(Quantization::Q4K.for_width(512), Some(GgmlDType::Q4K));
        assert_eq!(Quantization::Q4K.for_width(96), Some(GgmlDType::Q8_0));
        assert_eq!(Quantization::Q8_0.for_width(96), Some(GgmlDType::Q8_0));
        assert_eq!(Quantization::Q4K.for_width(48), None);
        assert_eq!(Quantization::Q8_0.for_width(48), None);
    }
}
