//! The int8 kernel: products of Q8_0 weights with activations in eight bits, for processors with
//! AVX-512 VNNI or AVX2.
//!
//! Blocks of a row share a scale: 128 weights where the width of the matrix allows it, else the 32
//! of GGUF's Q8_0. Activations are quantized the same way, block by block. One instruction
//! multiplies four weights of each of 16 rows; weights are laid out for it when they are loaded, so
//! that a step reads them once, in order. Candle's own kernel is used where the processor lacks the
//! instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod kernel;
mod layout;
mod output;
mod pages;

use super::ops::with_slice;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Result, Tensor};
use kernel::{Path, multiply};
use layout::{PANEL, PanelBlock, STEP, TILE, TileBlock, pack, quantize};
use pages::Pages;
use rayon::prelude::*;
use std::cell::Cell;
use std::time::Instant;

/// Steps of a block: of 32 weights as in a file, and of 128.
const NARROW: usize = 8;
const WIDE: usize = 32;

thread_local! {
    /// The buffers of quantized activations. They are reused, since new pages from the system cost
    /// more than filling them.
    static NARROW_TILES: Cell<Vec<TileBlock<NARROW>>> = const { Cell::new(Vec::new()) };
    static WIDE_TILES: Cell<Vec<TileBlock<WIDE>>> = const { Cell::new(Vec::new()) };
}

/// Packed weights, `(rows, columns)`.
pub struct Int8Matrix {
    rows: usize,
    columns: usize,
    blocks: Blocks,
    path: Path,
}

/// Panel after panel, as many blocks each as a row has. Rows that fill the last one up are zero.
enum Blocks {
    Narrow(Pages<PanelBlock<NARROW>>),
    Wide(Pages<PanelBlock<WIDE>>),
}

impl std::fmt::Debug for Int8Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Int8Matrix({}, {})", self.rows, self.columns)
    }
}

impl Int8Matrix {
    /// Packs a Q8_0 matrix on the CPU. `None` for another matrix, or for a processor that cannot
    /// use it.
    pub fn pack(matrix: &QTensor) -> Result<Option<Self>> {
        let path = Path::best();
        if path == Path::Plain || matrix.dtype() != GgmlDType::Q8_0 || !matrix.device().is_cpu() {
            return Ok(None);
        }
        Self::packed(matrix, path).map(Some)
    }

    /// The same for any processor; `matrix` is Q8_0 on the CPU.
    fn packed(matrix: &QTensor, path: Path) -> Result<Self> {
        let (rows, columns) = matrix.shape().dims2()?;
        let data = matrix.data()?;
        let blocks = match columns.is_multiple_of(WIDE * STEP) {
            true => Blocks::Wide(pack(&data, rows, columns)?),
            false => Blocks::Narrow(pack(&data, rows, columns)?),
        };
        Ok(Self {
            rows,
            columns,
            blocks,
            path,
        })
    }

    /// Bytes of the packed weights, which is what one step reads.
    pub fn bytes(&self) -> usize {
        match &self.blocks {
            Blocks::Narrow(blocks) => size_of_val(&**blocks),
            Blocks::Wide(blocks) => size_of_val(&**blocks),
        }
    }

    /// Looks up rows: `(ids)` to `(ids, columns)`.
    pub fn gather(&self, ids: &Tensor) -> Result<Tensor> {
        let ids = ids.to_vec1::<u32>()?;
        self.check_rows(&ids)?;
        let out = match &self.blocks {
            Blocks::Narrow(blocks) => widen_rows(blocks, self.columns, &ids),
            Blocks::Wide(blocks) => widen_rows(blocks, self.columns, &ids),
        };
        Tensor::from_vec(out, (ids.len(), self.columns), &Device::Cpu)
    }

    /// A matrix of copies of these rows.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        self.check_rows(rows)?;
        let blocks = match &self.blocks {
            Blocks::Narrow(blocks) => Blocks::Narrow(copy_rows(blocks, self.columns, rows)?),
            Blocks::Wide(blocks) => Blocks::Wide(copy_rows(blocks, self.columns, rows)?),
        };
        Ok(Self {
            rows: rows.len(),
            columns: self.columns,
            blocks,
            path: self.path,
        })
    }

    fn check_rows(&self, rows: &[u32]) -> Result<()> {
        match rows.iter().find(|row| **row as usize >= self.rows) {
            Some(row) => candle_core::bail!("row {row} of {}", self.rows),
            None => Ok(()),
        }
    }

    /// Multiplies `(tokens, columns)` to `(tokens, rows)`, and adds `bias`, `(rows)`, and
    /// `residual`, `(tokens, rows)`.
    pub fn forward(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (tokens, columns) = x.dims2()?;
        if columns != self.columns {
            candle_core::bail!("{columns} activations for {} columns", self.columns)
        }
        let fits = bias.is_none_or(|bias| bias.dims() == [self.rows])
            && residual.is_none_or(|residual| residual.dims() == [tokens, self.rows]);
        if !fits {
            candle_core::bail!("what is to be added does not fit {tokens} tokens of {self:?}")
        }
        let out = with_slice(x, |x| {
            with_optional_slice(bias, |bias| {
                with_optional_slice(residual, |residual| Ok(self.product(x, bias, residual)))
            })
        })?;
        Tensor::from_vec(out, (tokens, self.rows), x.device())
    }

    fn product(&self, x: &[f32], bias: Option<&[f32]>, residual: Option<&[f32]>) -> Vec<f32> {
        let shape = (self.rows, self.columns);
        // Taken out while in use: a thread that waits for others may run another product.
        match &self.blocks {
            Blocks::Narrow(blocks) => {
                let mut tiles = NARROW_TILES.take();
                fill(&mut tiles, x, self.columns);
                let out = multiply(self.path, blocks, &tiles, shape, x.len(), bias, residual);
                NARROW_TILES.set(tiles);
                out
            }
            Blocks::Wide(blocks) => {
                let mut tiles = WIDE_TILES.take();
                fill(&mut tiles, x, self.columns);
                let out = multiply(self.path, blocks, &tiles, shape, x.len(), bias, residual);
                WIDE_TILES.set(tiles);
                out
            }
        }
    }
}

/// The instructions that products use here, and the operations that they reach in a second.
pub fn reach() -> Result<Option<(&'static str, f64)>> {
    const SHAPE: (usize, usize) = (2048, 1536);
    const TOKENS: usize = 32;
    let path = Path::best();
    if path == Path::Plain {
        return Ok(None);
    }
    let (rows, columns) = SHAPE;
    let matrix = Int8Matrix {
        rows,
        columns,
        blocks: Blocks::Wide(Pages::new(rows / PANEL * (columns / (WIDE * STEP)))?),
        path,
    };
    let x = vec![1f32; TOKENS * columns];
    let seconds = (0..8).map(|_| {
        let began = Instant::now();
        std::hint::black_box(matrix.product(&x, None, None));
        began.elapsed().as_secs_f64()
    });
    let best = seconds.fold(f64::INFINITY, f64::min);
    Ok(Some((
        path.name(),
        (2 * rows * columns * TOKENS) as f64 / best,
    )))
}

/// Quantizes rows of activations into the first of `tiles`, whose content does not matter.
fn fill<const STEPS: usize>(tiles: &mut Vec<TileBlock<STEPS>>, x: &[f32], columns: usize) {
    let blocks = (x.len() / columns).div_ceil(TILE) * (columns / (STEPS * STEP));
    if tiles.len() < blocks {
        tiles.resize(blocks, TileBlock::EMPTY);
    }
    // The lanes beyond the last token are never read.
    quantize(x, columns, &mut tiles[..blocks]);
}

/// Rows of packed weights as numbers.
fn widen_rows<const STEPS: usize>(
    blocks: &[PanelBlock<STEPS>],
    columns: usize,
    rows: &[u32],
) -> Vec<f32> {
    let per_row = columns / (STEPS * STEP);
    let mut out = vec![0f32; rows.len() * columns];
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns)) {
        let (panel, lane) = (*row as usize / PANEL, *row as usize % PANEL);
        let panel = &blocks[panel * per_row..][..per_row];
        for (block, out) in panel.iter().zip(out.chunks_exact_mut(STEPS * STEP)) {
            let scale = block.scales[lane].to_f32();
            for (step, out) in block.weights.iter().zip(out.chunks_exact_mut(STEP)) {
                for (weight, out) in step[lane].iter().zip(out) {
                    *out = scale * (f32::from(*weight) - 128.0);
                }
            }
        }
    }
    out
}

/// Packs copies of packed rows.
#[allow(clippy::needless_range_loop)]
fn copy_rows<const STEPS: usize>(
    blocks: &[PanelBlock<STEPS>],
    columns: usize,
    rows: &[u32],
) -> Result<Pages<PanelBlock<STEPS>>> {
    let per_row = columns / (STEPS * STEP);
    let mut copy: Pages<PanelBlock<STEPS>> = Pages::new(rows.len().div_ceil(PANEL) * per_row)?;
    copy.par_chunks_mut(per_row)
        .zip(rows.par_chunks(PANEL))
        .for_each(|(panel, rows)| {
            panel.fill(PanelBlock::EMPTY);
            for (lane, row) in rows.iter().enumerate() {
                let (from, row) = (*row as usize / PANEL * per_row, *row as usize % PANEL);
                for (to, from) in panel.iter_mut().zip(&blocks[from..]) {
                    to.scales[lane] = from.scales[row];
                    for step in 0..STEPS {
                        to.weights[step][lane] = from.weights[step][row];
                    }
                }
            }
        });
    Ok(copy)
}

fn with_optional_slice<R>(
    x: Option<&Tensor>,
    f: impl FnOnce(Option<&[f32]>) -> Result<R>,
) -> Result<R> {
    match x {
        Some(x) => with_slice(x, |x| f(Some(x))),
        None => f(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rows: usize, columns: usize, seed: usize) -> Tensor {
        let numbers = (0..rows * columns)
            .map(|i| (((i + seed) * 2_654_435_761 % 1009) as f32 - 504.0) / 300.0);
        Tensor::from_vec(numbers.collect::<Vec<_>>(), (rows, columns), &Device::Cpu).unwrap()
    }

    #[test]
    fn products_equal_those_of_the_widened_weights() {
        for (rows, columns) in [(32, 32), (16, 64), (100, 288), (16, 128), (67, 1536)] {
            let weights = QTensor::quantize(&numbers(rows, columns, 1), GgmlDType::Q8_0).unwrap();
            let matrix = Int8Matrix::packed(&weights, Path::best()).unwrap();
            let wide = weights.dequantize(&Device::Cpu).unwrap();
            for tokens in [1, 7, 8, 9, 33, 200] {
                let x = numbers(tokens, columns, 5);
                let expected = x.matmul(&wide.t().unwrap()).unwrap();
                let got = matrix.forward(&x, None, None).unwrap();
                let off = (&got - &expected)
                    .unwrap()
                    .sqr()
                    .unwrap()
                    .mean_all()
                    .unwrap();
                let size = expected.sqr().unwrap().mean_all().unwrap();
                let off =
                    (off.to_scalar::<f32>().unwrap() / size.to_scalar::<f32>().unwrap()).sqrt();
                // Half a step of 127 of weights and of activations, spread evenly, over values
                // spread evenly.
                assert!(off < 0.008, "{rows} x {columns}, {tokens} tokens: {off}");
            }
            let ids = Tensor::new(&[rows as u32 - 1, 0], &Device::Cpu).unwrap();
            let got = matrix.gather(&ids).unwrap().to_vec2::<f32>().unwrap();
            let expected = wide.index_select(&ids, 0).unwrap();
            for (got, expected) in got.iter().zip(expected.to_vec2::<f32>().unwrap()) {
                for (got, expected) in got.iter().zip(expected) {
                    // Half a step of the block's largest weight; none where a block is as stored.
                    let most = match columns.is_multiple_of(128) {
                        true => 0.51 * 1.7 / 127.0,
                        false => 0.0,
                    };
                    assert!((got - expected).abs() <= most, "{got} {expected}");
                }
            }
            assert!(
                matrix
                    .gather(&Tensor::new(&[rows as u32], &Device::Cpu).unwrap())
                    .is_err()
            );
        }
    }

    /// On a processor without the instructions both are the plain product.
    #[test]
    fn the_instructions_give_the_numbers_of_the_plain_product() {
        for columns in [288, 384] {
            let weights = numbers(67, columns, 3);
            let weights = QTensor::quantize(&weights, GgmlDType::Q8_0).unwrap();
            let plain = Int8Matrix::packed(&weights, Path::Plain).unwrap();
            let paths = Path::ALL.into_iter().filter(|path| path.is_available());
            let matrices = paths.map(|path| Int8Matrix::packed(&weights, path).unwrap());
            let matrices: Vec<Int8Matrix> = matrices.collect();
            let bias = numbers(1, 67, 4).flatten_all().unwrap();
            for tokens in 1..20 {
                let (x, residual) = (numbers(tokens, columns, 9), numbers(tokens, 67, 2));
                let product = |matrix: &Int8Matrix| {
                    let product = matrix.forward(&x, Some(&bias), Some(&residual)).unwrap();
                    product.to_vec2::<f32>().unwrap()
                };
                for matrix in &matrices {
                    assert_eq!(
                        product(matrix),
                        product(&plain),
                        "{:?} {tokens}",
                        matrix.path
                    );
                }
            }
        }
    }

    #[test]
    fn what_the_kernel_reaches_is_known_where_there_is_one() {
        match reach().unwrap() {
            Some((name, rate)) => assert!(!name.is_empty() && rate > 0.0),
            None => assert_eq!(Path::best(), Path::Plain),
        }
    }

    #[test]
    fn a_bias_and_a_residual_are_added() {
        let weights = QTensor::quantize(&numbers(40, 64, 3), GgmlDType::Q8_0).unwrap();
        let matrix = Int8Matrix::packed(&weights, Path::best()).unwrap();
        let (x, residual) = (numbers(9, 64, 9), numbers(9, 40, 2));
        let bias = numbers(1, 40, 4).flatten_all().unwrap();
        let plain = matrix.forward(&x, None, None).unwrap();
        let expected = (plain.broadcast_add(&bias).unwrap() + &residual).unwrap();
        let got = matrix.forward(&x, Some(&bias), Some(&residual)).unwrap();
        assert_eq!(
            got.to_vec2::<f32>().unwrap(),
            expected.to_vec2::<f32>().unwrap()
        );
        assert!(matrix.forward(&x, Some(&residual), None).is_err());
        assert!(matrix.forward(&x, None, Some(&bias)).is_err());
    }

    #[test]
    fn a_token_gets_the_same_numbers_in_any_company() {
        let weights = QTensor::quantize(&numbers(64, 256, 3), GgmlDType::Q8_0).unwrap();
        let matrix = Int8Matrix::packed(&weights, Path::best()).unwrap();
        let x = numbers(21, 256, 9);
        let together = matrix
            .forward(&x, None, None)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        for (row, together) in together.iter().enumerate() {
            let alone = matrix
                .forward(&x.narrow(0, row, 1).unwrap(), None, None)
                .unwrap();
            assert_eq!(&alone.to_vec2::<f32>().unwrap()[0], together);
        }
    }

    #[test]
    fn nan_and_infinity_survive_quantization() {
        let weights = QTensor::quantize(&numbers(32, 32, 3), GgmlDType::Q8_0).unwrap();
        let matrix = Int8Matrix::packed(&weights, Path::best()).unwrap();
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = vec![1f32; 32];
            x[7] = bad;
            let x = Tensor::from_vec(x, (1, 32), &Device::Cpu).unwrap();
            let y = matrix
                .forward(&x, None, None)
                .unwrap()
                .to_vec2::<f32>()
                .unwrap();
            assert!(y[0].iter().all(|y| y.is_nan()));
        }
    }
}
