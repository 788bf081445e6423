//! The int8 kernel: products of Q8_0 weights with activations in eight bits, for processors with
//! AVX-512 VNNI.
//!
//! The numbers are those of GGUF's Q8_0: blocks of 32 weights of a row share a scale. Activations
//! are quantized the same way, block by block. One instruction multiplies four weights of each of
//! 16 rows; weights are laid out for it when they are loaded, so that a step reads them once, in
//! order. Candle's own kernel is used where the processor lacks the instructions.

#![allow(
    unsafe_code,
    reason = "vector instructions, and threads that write to parts of one output"
)]

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Result, Tensor};
use half::f16;
use rayon::prelude::*;
use std::cell::Cell;

use super::ops::{vectorized, with_slice};

/// Weights of a row that share a scale.
const BLOCK: usize = 32;
/// Bytes of a Q8_0 block: the scale as f16, then the weights.
const Q8_0_BYTES: usize = 2 + BLOCK;
/// Rows of weights side by side: two registers of 16.
const PANEL: usize = 32;
/// Activation rows that a pass over a panel takes.
const TILE: usize = 8;
/// Weights of a row that one instruction takes.
const STEP: usize = 4;
const STEPS: usize = BLOCK / STEP;
/// Bytes of activations that stay in the second-level cache while the panels pass by.
const ACTIVATION_BYTES: usize = 1 << 20;

/// A block of each row of a panel.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct PanelBlock {
    /// Four weights of row 0, of row 1, ...; then the next four. 128 is added to each: the
    /// instruction takes one unsigned operand.
    weights: [[[u8; STEP]; PANEL]; STEPS],
    scales: [f16; PANEL],
}

impl PanelBlock {
    const EMPTY: Self = Self {
        weights: [[[128; STEP]; PANEL]; STEPS],
        scales: [f16::ZERO; PANEL],
    };
}

/// A block of each row of a tile of activations.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct TileBlock {
    values: [[[i8; STEP]; TILE]; STEPS],
    /// Cancels what the 128 added to each weight adds to a sum.
    shifts: [i32; TILE],
    scales: [f32; TILE],
}

impl TileBlock {
    const EMPTY: Self = Self {
        values: [[[0; STEP]; TILE]; STEPS],
        shifts: [0; TILE],
        scales: [0.0; TILE],
    };
}

thread_local! {
    /// The buffer of quantized activations. It is reused, since new pages from the system cost more
    /// than filling them.
    static TILES: Cell<Vec<TileBlock>> = const { Cell::new(Vec::new()) };
}

/// Packed weights, `(rows, columns)`.
pub struct Int8Matrix {
    rows: usize,
    columns: usize,
    /// Panel after panel, `columns / BLOCK` blocks each. Rows that fill the last one up are zero.
    blocks: Vec<PanelBlock>,
    /// Only true where `available` is.
    vectors: bool,
}

impl std::fmt::Debug for Int8Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Int8Matrix({}, {})", self.rows, self.columns)
    }
}

/// Whether this processor has the instructions.
fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

impl Int8Matrix {
    /// Packs a Q8_0 matrix on the CPU. `None` for another matrix, or for a processor that cannot
    /// use it.
    pub fn pack(matrix: &QTensor) -> Result<Option<Self>> {
        if !available() || matrix.dtype() != GgmlDType::Q8_0 || !matrix.device().is_cpu() {
            return Ok(None);
        }
        Self::packed(matrix).map(Some)
    }

    /// The same for any processor; `matrix` is Q8_0 on the CPU.
    fn packed(matrix: &QTensor) -> Result<Self> {
        let (rows, columns) = matrix.shape().dims2()?;
        let per_row = columns / BLOCK;
        let data = matrix.data()?;
        let mut blocks = vec![PanelBlock::EMPTY; rows.div_ceil(PANEL) * per_row];
        blocks
            .par_chunks_mut(per_row)
            .zip(data.par_chunks(PANEL * per_row * Q8_0_BYTES))
            .for_each(|(panel, rows)| {
                for (lane, row) in rows.chunks_exact(per_row * Q8_0_BYTES).enumerate() {
                    for (block, bytes) in panel.iter_mut().zip(row.chunks_exact(Q8_0_BYTES)) {
                        block.scales[lane] = f16::from_le_bytes([bytes[0], bytes[1]]);
                        for (step, four) in bytes[2..].chunks_exact(STEP).enumerate() {
                            for (to, from) in block.weights[step][lane].iter_mut().zip(four) {
                                *to = from.wrapping_add(128);
                            }
                        }
                    }
                }
            });
        Ok(Self {
            rows,
            columns,
            blocks,
            vectors: available(),
        })
    }

    /// Bytes of the packed weights, which is what one step reads.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.blocks)
    }

    /// Looks up rows: `(ids)` to `(ids, columns)`.
    pub fn gather(&self, ids: &Tensor) -> Result<Tensor> {
        let per_row = self.columns / BLOCK;
        let ids = ids.to_vec1::<u32>()?;
        let mut out = vec![0f32; ids.len() * self.columns];
        for (id, out) in ids.iter().zip(out.chunks_exact_mut(self.columns)) {
            let row = *id as usize;
            if row >= self.rows {
                candle_core::bail!("row {row} of {}", self.rows)
            }
            let panel = &self.blocks[row / PANEL * per_row..][..per_row];
            for (block, out) in panel.iter().zip(out.chunks_exact_mut(BLOCK)) {
                let scale = block.scales[row % PANEL].to_f32();
                for (step, out) in block.weights.iter().zip(out.chunks_exact_mut(STEP)) {
                    for (weight, out) in step[row % PANEL].iter().zip(out) {
                        *out = scale * (f32::from(*weight) - 128.0);
                    }
                }
            }
        }
        Tensor::from_vec(out, (ids.len(), self.columns), &candle_core::Device::Cpu)
    }

    /// A matrix of copies of these rows.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        if let Some(row) = rows.iter().find(|row| **row as usize >= self.rows) {
            candle_core::bail!("row {row} of {}", self.rows)
        }
        let per_row = self.columns / BLOCK;
        let mut blocks = vec![PanelBlock::EMPTY; rows.len().div_ceil(PANEL) * per_row];
        blocks
            .par_chunks_mut(per_row)
            .zip(rows.par_chunks(PANEL))
            .for_each(|(panel, rows)| {
                for (lane, row) in rows.iter().enumerate() {
                    let (from, row) = (*row as usize / PANEL * per_row, *row as usize % PANEL);
                    for (to, from) in panel.iter_mut().zip(&self.blocks[from..]) {
                        to.scales[lane] = from.scales[row];
                        for (to, from) in to.weights.iter_mut().zip(&from.weights) {
                            to[lane] = from[row];
                        }
                    }
                }
            });
        Ok(Self {
            rows: rows.len(),
            columns: self.columns,
            blocks,
            vectors: self.vectors,
        })
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
                with_optional_slice(residual, |residual| Ok(self.multiply(x, bias, residual)))
            })
        })?;
        Tensor::from_vec(out, (tokens, self.rows), x.device())
    }

    fn multiply(&self, x: &[f32], bias: Option<&[f32]>, residual: Option<&[f32]>) -> Vec<f32> {
        // Taken out while in use: a thread that waits for others may run another product.
        let mut tiles = TILES.take();
        let out = self.multiply_by(&mut tiles, x, bias, residual);
        TILES.set(tiles);
        out
    }

    /// Multiplies with `buffer` for the quantized activations, whose content does not matter.
    fn multiply_by(
        &self,
        buffer: &mut Vec<TileBlock>,
        x: &[f32],
        bias: Option<&[f32]>,
        residual: Option<&[f32]>,
    ) -> Vec<f32> {
        let tokens = x.len() / self.columns;
        let per_row = self.columns / BLOCK;
        // What the unsafe code below goes by.
        assert_eq!(self.blocks.len(), self.rows.div_ceil(PANEL) * per_row);
        assert!(bias.is_none_or(|bias| bias.len() == self.rows));
        assert!(residual.is_none_or(|residual| residual.len() == tokens * self.rows));
        let blocks = tokens.div_ceil(TILE) * per_row;
        if buffer.len() < blocks {
            buffer.resize(blocks, TileBlock::EMPTY);
        }
        // The lanes beyond the last token are never read.
        let tiles = &mut buffer[..blocks];
        tiles
            .par_chunks_mut(per_row)
            .zip(x.par_chunks(TILE * self.columns))
            .for_each(|(tile, rows)| {
                for (lane, row) in rows.chunks_exact(self.columns).enumerate() {
                    for (block, values) in tile.iter_mut().zip(row.as_chunks::<BLOCK>().0) {
                        quantize(values, lane, block);
                    }
                }
            });
        let numbers = tokens * self.rows;
        let mut out: Vec<f32> = Vec::with_capacity(numbers);
        let shared = Output(out.as_mut_ptr());
        // Tiles that pass over a panel while it is in the cache.
        let at_once = (ACTIVATION_BYTES / (per_row * size_of::<TileBlock>())).max(1);
        for (group, tiles) in tiles.chunks(at_once * per_row).enumerate() {
            let passes = tiles.len() / per_row;
            let panels = self.blocks.par_chunks(per_row).enumerate();
            panels.for_each(|(panel, blocks)| {
                let row = panel * PANEL;
                for (pass, activations) in tiles.chunks_exact(per_row).enumerate() {
                    let token = (group * at_once + pass) * TILE;
                    let part = Part {
                        out: &shared,
                        token,
                        row,
                        width: self.rows,
                        bias,
                        residual,
                    };
                    let used = TILE.min(tokens - token);
                    let fetch = Fetch::share(pass, passes);
                    // SAFETY: the sizes are asserted above, `vectors` is true only where
                    // `available` is, and no other panel or tile writes this part of `out`, which
                    // outlives the loop.
                    unsafe {
                        match self.vectors {
                            true => multiply_tile(blocks, activations, used, fetch, &part),
                            false => multiply_plainly(blocks, activations, used, &part),
                        }
                    };
                }
            });
        }
        // SAFETY: the panels cover all rows of the matrix and the tiles all tokens, so every
        // number was written. Zeroing them first took 3 % of a step.
        unsafe { out.set_len(numbers) };
        out
    }
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

/// The cache lines of each block of the next panel that a pass over this one prefetches.
#[derive(Clone, Copy)]
struct Fetch {
    first: usize,
    end: usize,
}

impl Fetch {
    const LINE: usize = 64;

    /// Divides the lines between the passes over a panel.
    fn share(pass: usize, passes: usize) -> Self {
        const LINES: usize = size_of::<PanelBlock>() / Fetch::LINE;
        Self {
            first: LINES * pass / passes,
            end: LINES * (pass + 1) / passes,
        }
    }
}

/// The output that the panels' threads write to, each to a part of its own.
struct Output(*mut f32);

// SAFETY: see `multiply_tile` and `multiply_plainly`, the only uses.
unsafe impl Sync for Output {}

/// The part of the output for the products of a panel with a tile, and what is added to them.
struct Part<'a> {
    /// `(tokens, width)`.
    out: &'a Output,
    /// The first token and the first row of the matrix.
    token: usize,
    row: usize,
    width: usize,
    /// `(width)`.
    bias: Option<&'a [f32]>,
    /// `(tokens, width)`.
    residual: Option<&'a [f32]>,
}

vectorized! {
    /// Quantizes a block of a row of activations into its lane of the tile.
    fn quantize(values: &[f32; BLOCK], lane: usize, out: &mut TileBlock) {
        // Adding this rounds to the nearest whole number, in the low bits.
        const ROUND: f32 = 12_582_912.0;
        let mut most = [0f32; 16];
        for half in values.as_chunks::<16>().0 {
            for (most, value) in most.iter_mut().zip(half) {
                *most = if value.abs() > *most { value.abs() } else { *most };
            }
        }
        let most = most.iter().fold(0f32, |a, b| if *b > a { *b } else { a });
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        let mut whole = [0i8; BLOCK];
        let mut sum = 0;
        for (whole, value) in whole.iter_mut().zip(values) {
            let bits = (value * inverse + ROUND).to_bits() as i32;
            *whole = bits.wrapping_sub(ROUND.to_bits() as i32) as i8;
        }
        for whole in &whole {
            sum += i32::from(*whole);
        }
        for (step, four) in out.values.iter_mut().zip(whole.as_chunks::<STEP>().0) {
            step[lane] = *four;
        }
        out.shifts[lane] = -128 * sum;
        // NaN and infinity must survive quantization.
        let finite = values.iter().all(|value| value.is_finite());
        out.scales[lane] = if finite { most / 127.0 } else { f32::NAN };
    }
}

/// Multiplies a panel with the first `used` rows of a tile.
///
/// # Safety
/// `available` is true. The part's output, bias and
/// residual hold what `part` says, `used` tokens from its first on, and nobody else touches that
/// part of the output meanwhile.
unsafe fn multiply_tile(
    panel: &[PanelBlock],
    tile: &[TileBlock],
    used: usize,
    fetch: Fetch,
    part: &Part,
) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: promised by the caller.
    unsafe {
        match used {
            1 => vnni::<1>(panel, tile, fetch, part),
            2 => vnni::<2>(panel, tile, fetch, part),
            3 => vnni::<3>(panel, tile, fetch, part),
            4 => vnni::<4>(panel, tile, fetch, part),
            5 => vnni::<5>(panel, tile, fetch, part),
            6 => vnni::<6>(panel, tile, fetch, part),
            7 => vnni::<7>(panel, tile, fetch, part),
            _ => vnni::<TILE>(panel, tile, fetch, part),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        // `available` is false here.
        let _ = (panel, tile, used, fetch, part);
    }
}

/// The same numbers on any processor, one by one: what the instructions are tested against.
///
/// # Safety
/// As for [`multiply_tile`], on any processor.
unsafe fn multiply_plainly(panel: &[PanelBlock], tile: &[TileBlock], used: usize, part: &Part) {
    for lane in 0..PANEL.min(part.width - part.row) {
        let row = part.row + lane;
        for token in 0..used {
            let mut sum = 0f32;
            for (weights, values) in panel.iter().zip(tile) {
                let mut whole = values.shifts[token];
                for (weights, values) in weights.weights.iter().zip(&values.values) {
                    for (weight, value) in weights[lane].iter().zip(&values[token]) {
                        whole += i32::from(*weight) * i32::from(*value);
                    }
                }
                let scale = weights.scales[lane].to_f32() * values.scales[token];
                sum = (whole as f32).mul_add(scale, sum);
            }
            let at = (part.token + token) * part.width + row;
            sum += part.bias.map_or(0.0, |bias| bias[row]);
            sum += part.residual.map_or(0.0, |residual| residual[at]);
            // SAFETY: the caller promises that this part is there and ours alone.
            unsafe { part.out.0.wrapping_add(at).write(sum) };
        }
    }
}

/// # Safety
/// As for [`multiply_tile`], with `ROWS` tokens.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn vnni<const ROWS: usize>(
    panel: &[PanelBlock],
    tile: &[TileBlock],
    fetch: Fetch,
    part: &Part,
) {
    use std::arch::x86_64::*;
    let next = panel.as_ptr_range().end.cast::<i8>();
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for (index, (weights, values)) in panel.iter().zip(tile).enumerate() {
        let block = next.wrapping_add(index * size_of::<PanelBlock>());
        for line in fetch.first..fetch.end {
            // Only a hint: it may lie behind the last panel.
            _mm_prefetch::<_MM_HINT_T1>(block.wrapping_add(line * Fetch::LINE));
        }
        let mut whole = [[_mm512_setzero_si512(); 2]; ROWS];
        for (row, whole) in whole.iter_mut().enumerate() {
            *whole = [_mm512_set1_epi32(values.shifts[row]); 2];
        }
        for (step, values) in weights.weights.iter().zip(&values.values) {
            // SAFETY: a step of a panel is 128 bytes, two registers.
            let pair = unsafe {
                let at = step.as_ptr().cast::<__m512i>();
                [_mm512_loadu_si512(at), _mm512_loadu_si512(at.add(1))]
            };
            for (whole, four) in whole.iter_mut().zip(values) {
                let four = _mm512_set1_epi32(i32::from_ne_bytes(four.map(|value| value as u8)));
                for (whole, weights) in whole.iter_mut().zip(pair) {
                    *whole = _mm512_dpbusd_epi32(*whole, weights, four);
                }
            }
        }
        // SAFETY: the scales of a panel are 64 bytes, two half registers.
        let scales = unsafe {
            let at = weights.scales.as_ptr().cast::<__m256i>();
            [
                _mm512_cvtph_ps(_mm256_loadu_si256(at)),
                _mm512_cvtph_ps(_mm256_loadu_si256(at.add(1))),
            ]
        };
        for row in 0..ROWS {
            let scale = _mm512_set1_ps(values.scales[row]);
            for half in 0..2 {
                let scale = _mm512_mul_ps(scales[half], scale);
                let whole = _mm512_cvtepi32_ps(whole[row][half]);
                sums[row][half] = _mm512_fmadd_ps(whole, scale, sums[row][half]);
            }
        }
    }
    // The rows that fill up the last panel belong to no output.
    let rows = u32::MAX >> (PANEL - PANEL.min(part.width - part.row));
    for (half, rows) in [rows as u16, (rows >> 16) as u16].into_iter().enumerate() {
        let row = part.row + half * 16;
        let bias = match part.bias {
            // SAFETY: as many rows from here on as the mask has; the others are not touched.
            Some(bias) => unsafe { _mm512_maskz_loadu_ps(rows, bias.as_ptr().wrapping_add(row)) },
            None => _mm512_setzero_ps(),
        };
        for (i, sums) in sums.iter().enumerate() {
            let at = (part.token + i) * part.width + row;
            let mut sum = _mm512_add_ps(sums[half], bias);
            if let Some(residual) = part.residual {
                let residual = residual.as_ptr().wrapping_add(at);
                // SAFETY: as above.
                sum = _mm512_add_ps(sum, unsafe { _mm512_maskz_loadu_ps(rows, residual) });
            }
            // SAFETY: as above, and the caller promises that this part is ours alone.
            unsafe { _mm512_mask_storeu_ps(part.out.0.wrapping_add(at), rows, sum) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn numbers(rows: usize, columns: usize, seed: usize) -> Tensor {
        let numbers = (0..rows * columns)
            .map(|i| (((i + seed) * 2_654_435_761 % 1009) as f32 - 504.0) / 300.0);
        Tensor::from_vec(numbers.collect::<Vec<_>>(), (rows, columns), &Device::Cpu).unwrap()
    }

    #[test]
    fn products_equal_those_of_the_widened_weights() {
        for (rows, columns) in [(32, 32), (16, 64), (100, 288), (67, 1536)] {
            let weights = QTensor::quantize(&numbers(rows, columns, 1), GgmlDType::Q8_0).unwrap();
            let matrix = Int8Matrix::packed(&weights).unwrap();
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
                // Half a step of 127, spread evenly, over values spread evenly.
                assert!(off < 0.006, "{rows} x {columns}, {tokens} tokens: {off}");
            }
            let ids = Tensor::new(&[rows as u32 - 1, 0], &Device::Cpu).unwrap();
            assert_eq!(
                matrix.gather(&ids).unwrap().to_vec2::<f32>().unwrap(),
                wide.index_select(&ids, 0)
                    .unwrap()
                    .to_vec2::<f32>()
                    .unwrap()
            );
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
        let weights = QTensor::quantize(&numbers(67, 288, 3), GgmlDType::Q8_0).unwrap();
        let matrix = Int8Matrix::packed(&weights).unwrap();
        let mut plain = Int8Matrix::packed(&weights).unwrap();
        plain.vectors = false;
        let bias = numbers(1, 67, 4).flatten_all().unwrap();
        for tokens in 1..20 {
            let (x, residual) = (numbers(tokens, 288, 9), numbers(tokens, 67, 2));
            let product = |matrix: &Int8Matrix| {
                let product = matrix.forward(&x, Some(&bias), Some(&residual)).unwrap();
                product.to_vec2::<f32>().unwrap()
            };
            assert_eq!(product(&matrix), product(&plain), "{tokens} tokens");
        }
    }

    #[test]
    fn a_bias_and_a_residual_are_added() {
        let weights = QTensor::quantize(&numbers(40, 64, 3), GgmlDType::Q8_0).unwrap();
        let matrix = Int8Matrix::packed(&weights).unwrap();
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
        let matrix = Int8Matrix::packed(&weights).unwrap();
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
        let matrix = Int8Matrix::packed(&weights).unwrap();
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
