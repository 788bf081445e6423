//! The int8 kernel: products of weights of eight or four bits with activations in eight, for
//! processors with AVX-512 VNNI or, of eight bits, AVX-VNNI or AVX2.
//!
//! Blocks of a row share a scale: 128 weights of eight bits where the width of the matrix allows it,
//! else 32, as of four. Activations are quantized the same way, block by block. One instruction
//! multiplies four weights of each of 16 rows; weights are laid out for it when they are loaded, so
//! that a step reads them once, in order. Candle's own kernels are used where the processor lacks the
//! instructions.

#![allow(unsafe_code, reason = "products for what the processor has")]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod kernel;
mod layout;
mod nibble;
mod output;
mod pages;
#[cfg(target_arch = "x86_64")]
mod vnni256;

use super::ops::with_slice;
use candle_core::quantized::GgmlDType;
use candle_core::{Device, Result, Tensor};
use kernel::{Path, Product, multiply, multiply_plainly};
use layout::{PANEL, Panel, PanelBlock, STEP, TILE, TileBlock, pack, quantize};
use nibble::NibbleBlock;
use output::Finish;
use pages::Pages;
use rayon::prelude::*;
use std::cell::Cell;
use std::thread::LocalKey;
use std::time::Instant;

/// Steps of a block of eight bits: of 32 weights, and of 128.
const NARROW: usize = 8;
const WIDE: usize = 32;

thread_local! {
    /// The buffers of quantized activations. They are reused, since new pages from the system cost
    /// more than filling them.
    static NARROW_TILES: Cell<Vec<TileBlock<NARROW>>> = const { Cell::new(Vec::new()) };
    static NIBBLE_TILES: Cell<Vec<TileBlock<{ nibble::STEPS }>>> = const { Cell::new(Vec::new()) };
    static WIDE_TILES: Cell<Vec<TileBlock<WIDE>>> = const { Cell::new(Vec::new()) };
}

/// The bits of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    Eight,
    Four,
}

impl Bits {
    /// Those of weights that candle would hold in this type, on the CPU. `None` where there is no
    /// kernel for them.
    pub fn of(dtype: GgmlDType) -> Option<Self> {
        match (dtype, Path::best()) {
            (GgmlDType::Q4K, Path::Avx512Vnni) => Some(Self::Four),
            (GgmlDType::Q8_0, Path::Plain) => None,
            (GgmlDType::Q8_0, _) => Some(Self::Eight),
            _ => None,
        }
    }

    /// The name of the layout.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eight => "int8",
            Self::Four => "int4",
        }
    }
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
    Nibbles(Pages<NibbleBlock>),
}

/// Does the same with blocks of any kind.
macro_rules! each {
    ($blocks:expr, $name:ident => $do:expr) => {
        match $blocks {
            Blocks::Narrow($name) => $do,
            Blocks::Wide($name) => $do,
            Blocks::Nibbles($name) => $do,
        }
    };
}

impl std::fmt::Debug for Int8Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Int8Matrix({}, {})", self.rows, self.columns)
    }
}

impl Int8Matrix {
    /// Packs rows of weights, which `read` gives one by one.
    pub fn pack(
        shape: (usize, usize),
        bits: Bits,
        read: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) -> Result<Self> {
        Self::packed(shape, bits, Path::best(), read)
    }

    /// The same for any processor.
    fn packed(
        shape: (usize, usize),
        bits: Bits,
        path: Path,
        read: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) -> Result<Self> {
        let blocks = match (bits, shape.1.is_multiple_of(WIDE * STEP)) {
            (Bits::Eight, true) => Blocks::Wide(pack(shape, read)?),
            (Bits::Eight, false) => Blocks::Narrow(pack(shape, read)?),
            (Bits::Four, _) => Blocks::Nibbles(pack(shape, read)?),
        };
        Ok(Self {
            rows: shape.0,
            columns: shape.1,
            blocks,
            path,
        })
    }

    /// From the bytes that [`Self::as_bytes`] gave for a matrix of this shape.
    pub fn from_bytes((rows, columns): (usize, usize), bits: Bits, bytes: &[u8]) -> Result<Self> {
        let blocks = match (bits, columns.is_multiple_of(WIDE * STEP)) {
            (Bits::Eight, true) => Blocks::Wide(Pages::from_bytes(bytes)?),
            (Bits::Eight, false) => Blocks::Narrow(Pages::from_bytes(bytes)?),
            (Bits::Four, _) => Blocks::Nibbles(Pages::from_bytes(bytes)?),
        };
        if bytes.len() != Self::size((rows, columns), bits) {
            let length = bytes.len();
            candle_core::bail!("{length} bytes are no matrix of {rows} x {columns}")
        }
        Ok(Self {
            rows,
            columns,
            blocks,
            path: Path::best(),
        })
    }

    /// Bytes of a matrix of this shape.
    pub fn size((rows, columns): (usize, usize), bits: Bits) -> usize {
        let (steps, block) = match (bits, columns.is_multiple_of(WIDE * STEP)) {
            (Bits::Eight, true) => (WIDE, size_of::<PanelBlock<WIDE>>()),
            (Bits::Eight, false) => (NARROW, size_of::<PanelBlock<NARROW>>()),
            (Bits::Four, _) => (nibble::STEPS, size_of::<NibbleBlock>()),
        };
        rows.div_ceil(PANEL) * (columns / (steps * STEP)) * block
    }

    pub fn as_bytes(&self) -> &[u8] {
        each!(&self.blocks, blocks => blocks.bytes())
    }

    /// Looks up rows: `(ids)` to `(ids, columns)`.
    pub fn gather(&self, ids: &Tensor) -> Result<Tensor> {
        let ids = ids.to_vec1::<u32>()?;
        self.check_rows(&ids)?;
        let out = each!(&self.blocks, blocks => widen_rows(blocks, self.columns, &ids));
        Tensor::from_vec(out, (ids.len(), self.columns), &Device::Cpu)
    }

    /// A matrix of copies of these rows.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        self.check_rows(rows)?;
        let blocks = match &self.blocks {
            Blocks::Narrow(blocks) => Blocks::Narrow(copy_rows(blocks, self.columns, rows)?),
            Blocks::Wide(blocks) => Blocks::Wide(copy_rows(blocks, self.columns, rows)?),
            Blocks::Nibbles(blocks) => Blocks::Nibbles(copy_rows(blocks, self.columns, rows)?),
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
                with_optional_slice(residual, |residual| {
                    Ok(self.product(x, Finish::Add { bias, residual }))
                })
            })
        })?;
        Tensor::from_vec(out, (tokens, self.rows), x.device())
    }

    /// Multiplies `(tokens, columns)` with gates and the rows that they let through, in the order of
    /// [`gated_row`]: `silu(gate) * row`, `(tokens, rows / 2)`.
    pub fn forward_gated(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, columns) = x.dims2()?;
        if columns != self.columns || !self.rows.is_multiple_of(PANEL) {
            candle_core::bail!("{columns} activations for gates of {self:?}")
        }
        let out = with_slice(x, |x| Ok(self.product(x, Finish::Gate)))?;
        Tensor::from_vec(out, (tokens, self.rows / 2), x.device())
    }

    fn product(&self, x: &[f32], finish: Finish) -> Vec<f32> {
        match &self.blocks {
            Blocks::Narrow(blocks) => {
                self.product_of(blocks, eight(self.path), &NARROW_TILES, x, finish)
            }
            Blocks::Wide(blocks) => {
                self.product_of(blocks, eight(self.path), &WIDE_TILES, x, finish)
            }
            Blocks::Nibbles(blocks) => {
                self.product_of(blocks, four(self.path), &NIBBLE_TILES, x, finish)
            }
        }
    }

    fn product_of<const STEPS: usize, B: Panel<STEPS>>(
        &self,
        blocks: &[B],
        product: Product<STEPS, B>,
        buffer: &'static LocalKey<Cell<Vec<TileBlock<STEPS>>>>,
        x: &[f32],
        finish: Finish,
    ) -> Vec<f32> {
        let shape = (self.rows, self.columns);
        // Taken out while in use: a thread that waits for others may run another product.
        let mut tiles = buffer.take();
        fill(&mut tiles, x, self.columns);
        // SAFETY: a product is chosen by what the processor has.
        let out = unsafe { multiply(product, blocks, &tiles, shape, x.len(), finish) };
        buffer.set(tiles);
        out
    }
}

/// Whether gates can be packed beside so many rows that they let through.
pub fn can_gate(rows: usize) -> bool {
    rows.is_multiple_of(PANEL / 2)
}

/// Where a row of a matrix of gates comes from: those of a panel are gates and the rows that they
/// let through, half of each. The first `rows` are gates, and as many others follow.
pub fn gated_row(row: usize, rows: usize) -> usize {
    let (panel, lane) = (row / PANEL, row % PANEL);
    let half = PANEL / 2;
    panel * half + lane % half + lane / half * rows
}

/// The product of weights of eight bits, where the processor has what the path says.
fn eight<const STEPS: usize>(path: Path) -> Product<STEPS, PanelBlock<STEPS>> {
    assert!(path.is_available());
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512Vnni => kernel::multiply_tile,
        #[cfg(target_arch = "x86_64")]
        Path::AvxVnni => vnni256::multiply,
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => avx2::multiply,
        _ => multiply_plainly,
    }
}

/// The same of four bits.
fn four(path: Path) -> Product<{ nibble::STEPS }, NibbleBlock> {
    assert!(path.is_available());
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512Vnni => kernel::multiply_tile,
        _ => multiply_plainly,
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
        let finish = Finish::Add {
            bias: None,
            residual: None,
        };
        std::hint::black_box(matrix.product(&x, finish));
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
fn widen_rows<const STEPS: usize, B: Panel<STEPS>>(
    blocks: &[B],
    columns: usize,
    rows: &[u32],
) -> Vec<f32> {
    let per_row = columns / (STEPS * STEP);
    let mut out = vec![0f32; rows.len() * columns];
    for (row, out) in rows.iter().zip(out.chunks_exact_mut(columns)) {
        let (panel, lane) = (*row as usize / PANEL, *row as usize % PANEL);
        let panel = &blocks[panel * per_row..][..per_row];
        for (block, out) in panel.iter().zip(out.chunks_exact_mut(STEPS * STEP)) {
            let scale = block.scales()[lane].to_f32();
            for (step, out) in out.chunks_exact_mut(STEP).enumerate() {
                for (weight, out) in block.weights(step, lane).iter().zip(out) {
                    *out = scale * (i32::from(*weight) - B::ADDED) as f32;
                }
            }
        }
    }
    out
}

/// Packs copies of packed rows.
fn copy_rows<const STEPS: usize, B: Panel<STEPS>>(
    blocks: &[B],
    columns: usize,
    rows: &[u32],
) -> Result<Pages<B>> {
    let per_row = columns / (STEPS * STEP);
    let mut copy: Pages<B> = Pages::new(rows.len().div_ceil(PANEL) * per_row)?;
    copy.par_chunks_mut(per_row)
        .zip(rows.par_chunks(PANEL))
        .for_each(|(panel, rows)| {
            panel.fill(B::EMPTY);
            for (lane, row) in rows.iter().enumerate() {
                let (from, row) = (*row as usize / PANEL * per_row, *row as usize % PANEL);
                for (to, from) in panel.iter_mut().zip(&blocks[from..]) {
                    to.copy_lane(lane, from, row);
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
    use candle_core::quantized::QTensor;

    fn packed(weights: &Tensor, bits: Bits, path: Path) -> Int8Matrix {
        let rows = weights.to_vec2::<f32>().unwrap();
        let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&rows[row]);
        Int8Matrix::packed(weights.dims2().unwrap(), bits, path, &read).unwrap()
    }

    fn numbers(rows: usize, columns: usize, seed: usize) -> Tensor {
        let numbers = (0..rows * columns)
            .map(|i| (((i + seed) * 2_654_435_761 % 1009) as f32 - 504.0) / 300.0);
        Tensor::from_vec(numbers.collect::<Vec<_>>(), (rows, columns), &Device::Cpu).unwrap()
    }

    #[test]
    fn products_equal_those_of_the_weights() {
        // Half a step of 127 of weights and of activations, spread evenly, over values spread
        // evenly; of 15 of weights.
        let eight = [(32, 32), (16, 64), (100, 288), (16, 128), (67, 1536)];
        let eight = eight.map(|shape| (Bits::Eight, shape, 0.008));
        let four = [(16, 64), (100, 320), (67, 1536)].map(|shape| (Bits::Four, shape, 0.05));
        for (bits, (rows, columns), most) in eight.into_iter().chain(four) {
            let wide = numbers(rows, columns, 1);
            let matrix = packed(&wide, bits, Path::best());
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
                assert!(
                    off < most,
                    "{bits:?} {rows} x {columns}, {tokens} tokens: {off}"
                );
            }
            let ids = Tensor::new(&[rows as u32 - 1, 0], &Device::Cpu).unwrap();
            let got = matrix.gather(&ids).unwrap().to_vec2::<f32>().unwrap();
            let expected = wide.index_select(&ids, 0).unwrap();
            for (got, expected) in got.iter().zip(expected.to_vec2::<f32>().unwrap()) {
                for (got, expected) in got.iter().zip(expected) {
                    // Half a step of the largest weight; of four bits the largest may be cut.
                    let most = match bits {
                        Bits::Eight => 0.51 * 1.7 / 127.0,
                        Bits::Four => 3.4 / 15.0,
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

    #[test]
    fn four_bits_lose_no_more_than_those_of_gguf() {
        let (rows, columns) = (64, 512);
        let weights = Tensor::randn(0f32, 0.02, (rows, columns), &Device::Cpu).unwrap();
        let lost = |rounded: &Tensor| {
            let lost = (rounded - &weights).unwrap().sqr().unwrap();
            lost.mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt() / 0.02
        };
        let all: Vec<u32> = (0..rows as u32).collect();
        let all = Tensor::new(all, &Device::Cpu).unwrap();
        let ours = packed(&weights, Bits::Four, Path::Plain);
        let ours = lost(&ours.gather(&all).unwrap());
        let gguf = QTensor::quantize(&weights, GgmlDType::Q4K).unwrap();
        let gguf = lost(&gguf.dequantize(&Device::Cpu).unwrap());
        assert!(ours < 1.1 * gguf, "{ours} {gguf}");
    }

    /// On a processor without the instructions both are the plain product.
    #[test]
    fn the_instructions_give_the_numbers_of_the_plain_product() {
        for (bits, columns) in [(Bits::Eight, 288), (Bits::Eight, 384), (Bits::Four, 320)] {
            let weights = numbers(67, columns, 3);
            let plain = packed(&weights, bits, Path::Plain);
            let paths = Path::ALL.into_iter().filter(|path| path.is_available());
            let matrices = paths.map(|path| packed(&weights, bits, path));
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
    fn bytes_are_the_matrix() {
        for (bits, columns) in [(Bits::Eight, 96), (Bits::Eight, 256), (Bits::Four, 256)] {
            let matrix = packed(&numbers(67, columns, 3), bits, Path::best());
            let shape = (67, columns);
            let again = Int8Matrix::from_bytes(shape, bits, matrix.as_bytes()).unwrap();
            let x = numbers(3, columns, 9);
            let product = |matrix: &Int8Matrix| {
                let product = matrix.forward(&x, None, None).unwrap();
                product.to_vec2::<f32>().unwrap()
            };
            assert_eq!(product(&matrix), product(&again));
            let cut = &matrix.as_bytes()[64..];
            assert!(Int8Matrix::from_bytes(shape, bits, cut).is_err());
            assert!(Int8Matrix::from_bytes((99, columns), bits, matrix.as_bytes()).is_err());
        }
    }

    #[test]
    fn gates_let_rows_through() {
        let (rows, columns) = (48, 256);
        let (gates, values) = (numbers(rows, columns, 3), numbers(rows, columns, 8));
        let stacked = Tensor::cat(&[&gates, &values], 0).unwrap();
        let order: Vec<u32> = (0..2 * rows)
            .map(|row| gated_row(row, rows) as u32)
            .collect();
        let mixed = stacked.index_select(&Tensor::new(order, &Device::Cpu).unwrap(), 0);
        let mixed = mixed.unwrap();
        let x = numbers(11, columns, 9);
        for bits in [Bits::Eight, Bits::Four] {
            let apart = packed(&stacked, bits, Path::best());
            let apart = apart.forward(&x, None, None).unwrap();
            let expected = crate::vlm::nn::ops::swiglu(&apart).unwrap();
            for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
                let got = packed(&mixed, bits, path).forward_gated(&x).unwrap();
                let off = (&got - &expected).unwrap().abs().unwrap();
                let off = off.flatten_all().unwrap().max(0).unwrap();
                assert!(off.to_scalar::<f32>().unwrap() < 1e-3, "{bits:?} {path:?}");
            }
        }
        assert!(can_gate(rows) && !can_gate(rows + 1));
    }

    #[test]
    fn a_bias_and_a_residual_are_added() {
        let matrix = packed(&numbers(40, 64, 3), Bits::Eight, Path::best());
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
        let matrix = packed(&numbers(64, 256, 3), Bits::Eight, Path::best());
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
        let matrix = packed(&numbers(32, 32, 3), Bits::Eight, Path::best());
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
