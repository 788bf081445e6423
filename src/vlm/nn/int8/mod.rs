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
#[cfg(target_arch = "x86_64")]
mod vnni256;

use super::ops::with_slice;
use super::output::{After, Finish};
use super::pages::Pages;
use candle_core::quantized::GgmlDType;
use candle_core::{Device, Result, Tensor};
use kernel::{Path, Product, multiply, multiply_plainly};
use layout::{PANEL, Panel, PanelBlock, STEP, TILE, TileBlock, pack, quantize};
use nibble::NibbleBlock;
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

    /// Multiplies `(tokens, columns)` to `(tokens, rows)`, and does what comes after.
    pub fn forward(&self, x: &Tensor, after: After) -> Result<Tensor> {
        let (tokens, columns) = x.dims2()?;
        if columns != self.columns {
            candle_core::bail!("{columns} activations for {} columns", self.columns)
        }
        let out = with_slice(x, |x| {
            after.with_slices((tokens, self.rows), |finish| self.product(x, finish))
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
        std::hint::black_box(matrix.product(&x, Finish::default()));
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

#[cfg(test)]
mod tests;
