//! The int8 kernel: multiplies 8-bit or 4-bit weights with 8-bit activations. Needs AVX2; AVX-512
//! VNNI is faster, and so are, for 8-bit weights, AVX-VNNI and AMX.
//!
//! A block of a row shares a scale: 256 8-bit weights if the matrix's width allows it, otherwise 32;
//! always 32 4-bit weights. Activations are quantized in the same blocks. One instruction multiplies
//! four weights of each of 16 rows. Weights are laid out for it when they are loaded, so that a step
//! reads them once, in order. On processors without the instructions, candle's kernels are used.

#![allow(unsafe_code, reason = "kernels chosen by processor features")]

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512_vnni;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod int4;
mod kernel;
mod layout;
mod prefetch;

use super::ops::with_slice;
use super::output::{Epilogue, EpilogueArgs};
use super::pages::Pages;
use candle_core::quantized::GgmlDType;
use candle_core::{Device, Result, Tensor};
use int4::NibbleBlock;
use kernel::{InstructionSet, TileKernel, multiply, multiply_portable};
use layout::{PANEL, Panel, PanelBlock, STEP, TILE, TileBlock, TileOrder, pack, quantize};
use rayon::prelude::*;
use std::cell::Cell;
use std::thread::LocalKey;
use std::time::Instant;

/// Steps per block of 32 and of 256 8-bit weights.
const NARROW: usize = 8;
const WIDE: usize = 64;

thread_local! {
    /// Buffers of quantized activations. They are reused, since fresh pages from the system cost more
    /// than filling them.
    static NARROW_TILES: Cell<Vec<TileBlock<NARROW>>> = const { Cell::new(Vec::new()) };
    static NIBBLE_TILES: Cell<Vec<TileBlock<{ int4::STEPS }>>> = const { Cell::new(Vec::new()) };
    static WIDE_TILES: Cell<Vec<TileBlock<WIDE>>> = const { Cell::new(Vec::new()) };
}

/// Bits per weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    Eight,
    Four,
}

impl Bits {
    /// The counterpart of candle's type on the CPU. `None` if this processor has no kernel for it.
    pub fn of(dtype: GgmlDType) -> Option<Self> {
        match (dtype, InstructionSet::best()) {
            (_, InstructionSet::Portable) => None,
            (GgmlDType::Q8_0, _) => Some(Self::Eight),
            (GgmlDType::Q4K, _) => Some(Self::Four),
            _ => None,
        }
    }

    /// The name of the weight layout.
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
    blocks: PackedBlocks,
    instructions: InstructionSet,
}

/// The blocks of all panels in order. Padding rows of the last panel are zero.
enum PackedBlocks {
    Narrow(Pages<PanelBlock<NARROW>>),
    Wide(Pages<PanelBlock<WIDE>>),
    Nibbles(Pages<NibbleBlock>),
}

/// Evaluates an expression for blocks of any kind.
macro_rules! with_blocks {
    ($blocks:expr, $name:ident => $do:expr) => {
        match $blocks {
            PackedBlocks::Narrow($name) => $do,
            PackedBlocks::Wide($name) => $do,
            PackedBlocks::Nibbles($name) => $do,
        }
    };
}

impl std::fmt::Debug for Int8Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Int8Matrix({}, {})", self.rows, self.columns)
    }
}

impl Int8Matrix {
    /// Packs rows of weights; `read` returns one row.
    pub fn pack(
        shape: (usize, usize),
        bits: Bits,
        read: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) -> Result<Self> {
        Self::packed(shape, bits, InstructionSet::best(), read)
    }

    fn packed(
        shape: (usize, usize),
        bits: Bits,
        instructions: InstructionSet,
        read: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) -> Result<Self> {
        let blocks = match (bits, shape.1.is_multiple_of(WIDE * STEP)) {
            (Bits::Eight, true) => PackedBlocks::Wide(pack(shape, read)?),
            (Bits::Eight, false) => PackedBlocks::Narrow(pack(shape, read)?),
            (Bits::Four, _) => PackedBlocks::Nibbles(pack(shape, read)?),
        };
        Ok(Self {
            rows: shape.0,
            columns: shape.1,
            blocks,
            instructions,
        })
    }

    /// Restores a matrix of this shape from its [`Self::as_bytes`].
    pub fn from_bytes((rows, columns): (usize, usize), bits: Bits, bytes: &[u8]) -> Result<Self> {
        let blocks = match (bits, columns.is_multiple_of(WIDE * STEP)) {
            (Bits::Eight, true) => PackedBlocks::Wide(Pages::from_bytes(bytes)?),
            (Bits::Eight, false) => PackedBlocks::Narrow(Pages::from_bytes(bytes)?),
            (Bits::Four, _) => PackedBlocks::Nibbles(Pages::from_bytes(bytes)?),
        };
        if bytes.len() != Self::size((rows, columns), bits) {
            let length = bytes.len();
            candle_core::bail!("{length} bytes are not a matrix of {rows} x {columns}")
        }
        Ok(Self {
            rows,
            columns,
            blocks,
            instructions: InstructionSet::best(),
        })
    }

    /// Bytes of a matrix of this shape.
    pub fn size((rows, columns): (usize, usize), bits: Bits) -> usize {
        let (steps, block) = match (bits, columns.is_multiple_of(WIDE * STEP)) {
            (Bits::Eight, true) => (WIDE, size_of::<PanelBlock<WIDE>>()),
            (Bits::Eight, false) => (NARROW, size_of::<PanelBlock<NARROW>>()),
            (Bits::Four, _) => (int4::STEPS, size_of::<NibbleBlock>()),
        };
        rows.div_ceil(PANEL) * (columns / (steps * STEP)) * block
    }

    pub fn as_bytes(&self) -> &[u8] {
        with_blocks!(&self.blocks, blocks => blocks.bytes())
    }

    /// Looks up rows: `(ids)` to `(ids, columns)`.
    pub fn gather(&self, ids: &Tensor) -> Result<Tensor> {
        let ids = ids.to_vec1::<u32>()?;
        self.check_rows(&ids)?;
        let out = with_blocks!(&self.blocks, blocks => dequantize_rows(blocks, self.columns, &ids));
        Tensor::from_vec(out, (ids.len(), self.columns), &Device::Cpu)
    }

    /// Copies these rows into a new matrix.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        self.check_rows(rows)?;
        let blocks = match &self.blocks {
            PackedBlocks::Narrow(blocks) => {
                PackedBlocks::Narrow(copy_rows(blocks, self.columns, rows)?)
            }
            PackedBlocks::Wide(blocks) => {
                PackedBlocks::Wide(copy_rows(blocks, self.columns, rows)?)
            }
            PackedBlocks::Nibbles(blocks) => {
                PackedBlocks::Nibbles(copy_rows(blocks, self.columns, rows)?)
            }
        };
        Ok(Self {
            rows: rows.len(),
            columns: self.columns,
            blocks,
            instructions: self.instructions,
        })
    }

    fn check_rows(&self, rows: &[u32]) -> Result<()> {
        match rows.iter().find(|row| **row as usize >= self.rows) {
            Some(row) => candle_core::bail!("row {row} of {}", self.rows),
            None => Ok(()),
        }
    }

    /// Multiplies: `(tokens, columns)` to `(tokens, rows)`, and applies the epilogue.
    pub fn forward(&self, x: &Tensor, args: EpilogueArgs) -> Result<Tensor> {
        let (tokens, columns) = x.dims2()?;
        if columns != self.columns {
            candle_core::bail!("{columns} activations for {} columns", self.columns)
        }
        let out = with_slice(x, |x| {
            args.with_slices((tokens, self.rows), |epilogue| self.product(x, epilogue))
        })?;
        Tensor::from_vec(out, (tokens, self.rows), x.device())
    }

    /// Multiplies with interleaved gate and up rows, in the order of [`gated_row`]:
    /// `(tokens, columns)` to `silu(gate) * up`, `(tokens, rows / 2)`.
    pub fn forward_gated(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, columns) = x.dims2()?;
        if columns != self.columns || !self.rows.is_multiple_of(PANEL) {
            candle_core::bail!("{columns} activations for gates of {self:?}")
        }
        let out = with_slice(x, |x| Ok(self.product(x, Epilogue::Gate)))?;
        Tensor::from_vec(out, (tokens, self.rows / 2), x.device())
    }

    fn product(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32> {
        match &self.blocks {
            PackedBlocks::Narrow(blocks) => {
                let kernel = int8_kernel(self.instructions);
                self.product_of(blocks, kernel, &NARROW_TILES, x, epilogue)
            }
            PackedBlocks::Wide(blocks) => {
                let kernel = int8_kernel(self.instructions);
                self.product_of(blocks, kernel, &WIDE_TILES, x, epilogue)
            }
            PackedBlocks::Nibbles(blocks) => {
                let kernel = int4_kernel(self.instructions);
                self.product_of(blocks, kernel, &NIBBLE_TILES, x, epilogue)
            }
        }
    }

    fn product_of<const STEPS: usize, B: Panel<STEPS>>(
        &self,
        blocks: &[B],
        kernel: Kernel<STEPS, B>,
        buffer: &'static LocalKey<Cell<Vec<TileBlock<STEPS>>>>,
        x: &[f32],
        epilogue: Epilogue,
    ) -> Vec<f32> {
        let shape = (self.rows, self.columns);
        // Taken out while in use: a thread that waits for others may run another product.
        let mut tiles = buffer.take();
        quantize_tiles(&mut tiles, x, self.columns, kernel.order);
        // SAFETY: the kernel was chosen by what the processor supports.
        let out = unsafe { multiply(kernel.multiply, blocks, &tiles, shape, x.len(), epilogue) };
        buffer.set(tiles);
        out
    }
}

/// Whether this many gate rows and up rows can be interleaved.
pub fn can_gate(rows: usize) -> bool {
    rows.is_multiple_of(PANEL / 2)
}

/// Maps a row of a gated matrix to its row in the stack of `rows` gate rows and `rows` up rows. Each
/// panel is half gate rows, half up rows.
pub fn gated_row(row: usize, rows: usize) -> usize {
    let (panel, lane) = (row / PANEL, row % PANEL);
    let half = PANEL / 2;
    panel * half + lane % half + lane / half * rows
}

/// A kernel, and the order in which it reads the activations.
struct Kernel<const STEPS: usize, B> {
    multiply: TileKernel<STEPS, B>,
    order: TileOrder,
}

/// The kernel for 8-bit weights.
fn int8_kernel<const STEPS: usize>(
    instructions: InstructionSet,
) -> Kernel<STEPS, PanelBlock<STEPS>> {
    assert!(instructions.is_available());
    let multiply: TileKernel<STEPS, PanelBlock<STEPS>> = match instructions {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Amx => {
            return Kernel {
                multiply: amx::multiply,
                order: TileOrder::Tokens,
            };
        }
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni => avx512_vnni::multiply,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::AvxVnni => avx_vnni::multiply,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => avx2::multiply,
        _ => multiply_portable,
    };
    Kernel {
        multiply,
        order: TileOrder::Steps,
    }
}

/// The kernel for 4-bit weights.
fn int4_kernel(instructions: InstructionSet) -> Kernel<{ int4::STEPS }, NibbleBlock> {
    assert!(instructions.is_available());
    let multiply: TileKernel<{ int4::STEPS }, NibbleBlock> = match instructions {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Amx | InstructionSet::Avx512Vnni => avx512_vnni::multiply,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::AvxVnni | InstructionSet::Avx2 => avx2::multiply,
        _ => multiply_portable,
    };
    Kernel {
        multiply,
        order: TileOrder::Steps,
    }
}

/// Measures the kernel. Returns the name of its instruction set and its operations per second.
/// `None` if this processor has no kernel.
pub fn measure_throughput() -> Result<Option<(&'static str, f64)>> {
    const SHAPE: (usize, usize) = (2048, 1536);
    const TOKENS: usize = 32;
    let instructions = InstructionSet::best();
    if instructions == InstructionSet::Portable {
        return Ok(None);
    }
    let (rows, columns) = SHAPE;
    let matrix = Int8Matrix {
        rows,
        columns,
        blocks: PackedBlocks::Wide(Pages::new(rows / PANEL * (columns / (WIDE * STEP)))?),
        instructions,
    };
    let x = vec![1f32; TOKENS * columns];
    let seconds = (0..8).map(|_| {
        let started = Instant::now();
        std::hint::black_box(matrix.product(&x, Epilogue::default()));
        started.elapsed().as_secs_f64()
    });
    let best = seconds.fold(f64::INFINITY, f64::min);
    Ok(Some((
        instructions.name(),
        (2 * rows * columns * TOKENS) as f64 / best,
    )))
}

/// Quantizes rows of activations into the first tiles of a reused buffer.
fn quantize_tiles<const STEPS: usize>(
    tiles: &mut Vec<TileBlock<STEPS>>,
    x: &[f32],
    columns: usize,
    order: TileOrder,
) {
    let blocks = (x.len() / columns).div_ceil(TILE) * (columns / (STEPS * STEP));
    if tiles.len() < blocks {
        tiles.resize(blocks, TileBlock::EMPTY);
    }
    // The lanes beyond the last token are never read.
    quantize(x, columns, order, &mut tiles[..blocks]);
}

/// Dequantizes rows of packed weights.
fn dequantize_rows<const STEPS: usize, B: Panel<STEPS>>(
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
                    *out = scale * (i32::from(*weight) - B::OFFSET) as f32;
                }
            }
        }
    }
    out
}

/// Copies packed rows into new panels.
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
