//! Checkpoints whose linear layers are packed by AWQ or GPTQ: whole numbers of four or eight bits,
//! with a scale and a zero point for each output and group of inputs.
//!
//! A weight is `(number - zero) * scale`. Where a group's bounds are those of Q8_0's blocks, as with
//! the usual groups of 128, that is a Q8_0 block with the same scale: repacking loses nothing.

use super::refusals::{ORIGINAL, Refusal};
use candle_core::Result;
use half::f16;
use rayon::prelude::*;
use serde_json::Value;

/// How the linear layers of a checkpoint are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Four bits, eight outputs of one input in a word, in the order of AWQ's `gemm` kernel.
    Awq,
    /// Inputs of one output in a word, in their order.
    Gptq {
        bits: u32,
        /// Zero points are stored less one.
        less_one: bool,
    },
}

impl Packing {
    /// By `quantization_config` of a `config.json`. `None` where nothing is packed.
    ///
    /// # Errors
    /// Another way of packing.
    pub fn read(config: &Value) -> std::result::Result<Option<Self>, Refusal> {
        let of = |config: &'_ Value| {
            let packed = config.get("quantization_config");
            packed.filter(|it| !it.is_null()).cloned()
        };
        let nested = || of(config.get("text_config")?);
        if let Some(packed) = of(config).or_else(nested) {
            return Self::of(&packed).map(Some);
        }
        // MLX writes its own key.
        match config.get("quantization") {
            Some(own) if own.get("group_size").is_some() => Err(Refusal::new(
                "its weights are packed for MLX, which is not supported",
                format!("{ORIGINAL}, or serve this one with mlx_vlm and use --endpoint"),
            )),
            _ => Ok(None),
        }
    }

    fn of(packed: &Value) -> std::result::Result<Self, Refusal> {
        let text = |key: &str| packed.get(key).and_then(Value::as_str);
        let bits_loaded = ["load_in_4bit", "load_in_8bit", "_load_in_4bit"];
        let method = match text("quant_method") {
            None if bits_loaded.iter().any(|key| packed.get(key).is_some()) => "bitsandbytes",
            method => method.unwrap_or("a method that it does not name"),
        };
        let bits = ["bits", "w_bit"].iter().find_map(|key| packed.get(key));
        let bits = bits.and_then(Value::as_u64);
        let layout = ["checkpoint_format", "format", "version"]
            .iter()
            .find_map(|key| text(key))
            .map(str::to_lowercase);
        // Words of another size would be read in the wrong order.
        let words = text("pack_dtype").unwrap_or("int32");
        let known = match (method, bits, layout.as_deref(), words) {
            ("awq" | "gptq", Some(4), Some("gemm"), "int32") => Some(Self::Awq),
            ("awq", Some(4), None, "int32") => Some(Self::Awq),
            ("gptq", Some(bits @ (4 | 8)), layout @ (None | Some("gptq" | "gptq_v2")), "int32") => {
                Some(Self::Gptq {
                    bits: bits as u32,
                    less_one: layout != Some("gptq_v2"),
                })
            }
            _ => None,
        };
        known.ok_or_else(|| {
            let mut how = method.to_owned();
            if let ("awq" | "gptq", Some(bits)) = (method, bits) {
                how.push_str(&format!(" of {bits} bits"));
                if let Some(layout) = layout.filter(|layout| layout != method) {
                    how.push_str(&format!(" in the layout {layout}"));
                }
                if words != "int32" {
                    how.push_str(&format!(" in words of {words}"));
                }
            }
            let served = match method {
                "awq" | "gptq" | "fp8" | "fbgemm_fp8" | "compressed-tensors" => {
                    ", or serve this one with vLLM and use --endpoint"
                }
                _ => "",
            };
            Refusal::new(
                format!("its weights are packed with {how}, which is not supported"),
                format!("{ORIGINAL}{served}"),
            )
        })
    }

    fn bits(self) -> u32 {
        match self {
            Self::Awq => 4,
            Self::Gptq { bits, .. } => bits,
        }
    }

    /// Numbers in a word.
    fn per_word(self) -> usize {
        (u32::BITS / self.bits()) as usize
    }

    /// Outputs and inputs of a matrix, by the shape of its packed numbers.
    pub fn matrix(self, packed: &[usize]) -> Option<[usize; 2]> {
        let &[first, second] = packed else {
            return None;
        };
        Some(match self {
            Self::Awq => [second * self.per_word(), first],
            Self::Gptq { .. } => [second, first * self.per_word()],
        })
    }
}

/// The place of an output among the eight of an AWQ word.
const AWQ_PLACES: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Weights that share a scale in Q8_0.
const BLOCK: usize = 32;

/// The parts of a packed matrix as they are stored.
#[derive(Debug)]
pub struct Parts<T> {
    pub numbers: T,
    pub zeros: T,
    pub scales: T,
    /// The group of each input, where the checkpoint tells.
    pub groups: Option<T>,
}

/// A packed matrix, `(rows, columns)`: outputs and inputs.
pub struct PackedMatrix<'a> {
    packing: Packing,
    rows: usize,
    columns: usize,
    numbers: &'a [u8],
    /// `(groups, rows)`.
    zeros: Vec<i16>,
    scales: Vec<f32>,
    /// The group of each column.
    groups: Vec<usize>,
}

/// The word at `index`.
fn word(bytes: &[u8], index: usize) -> u32 {
    match bytes.as_chunks().0.get(index) {
        Some(word) => u32::from_le_bytes(*word),
        None => 0,
    }
}

impl<'a> PackedMatrix<'a> {
    /// From the bytes of its parts; scales in f32.
    pub fn new(
        packing: Packing,
        [rows, columns]: [usize; 2],
        parts: Parts<&'a [u8]>,
        scales: Vec<f32>,
    ) -> Result<Self> {
        let per_word = packing.per_word();
        let count = scales.len() / rows.max(1);
        let words = |bytes: &[u8]| bytes.len() / 4;
        let whole = count > 0
            && scales.len() == count * rows
            && words(parts.numbers) * per_word == rows * columns
            && words(parts.zeros) * per_word == count * rows
            && rows.is_multiple_of(per_word);
        if !whole {
            candle_core::bail!("its zero points and scales do not fit its numbers")
        }
        let groups: Vec<usize> = match parts.groups.filter(|groups| !groups.is_empty()) {
            Some(groups) => (0..words(groups)).map(|i| word(groups, i) as usize).collect(),
            None if columns.is_multiple_of(count) => {
                (0..columns).map(|i| i / (columns / count)).collect()
            }
            None => candle_core::bail!("{columns} inputs are not {count} groups"),
        };
        if groups.len() != columns || groups.iter().any(|group| *group >= count) {
            candle_core::bail!("g_idx does not give a group to each of {columns} inputs")
        }
        let mask = (1 << packing.bits()) - 1;
        let zero = |at: usize| {
            let (group, row) = (at / rows, at % rows);
            let words = group * (rows / per_word) + row / per_word;
            let place = match packing {
                Packing::Awq => AWQ_PLACES[row % per_word],
                Packing::Gptq { .. } => row % per_word,
            };
            let stored = word(parts.zeros, words) >> (place as u32 * packing.bits()) & mask;
            let zero = match packing {
                Packing::Gptq { less_one: true, .. } => (stored + 1) & mask,
                _ => stored,
            };
            zero as i16
        };
        Ok(Self {
            zeros: (0..count * rows).into_par_iter().map(zero).collect(),
            packing,
            rows,
            columns,
            numbers: parts.numbers,
            scales,
            groups,
        })
    }

    /// Numbers less their zero points, `(rows, columns)`.
    fn levels(&self) -> Vec<i16> {
        // Rows that are read together: a cache line of words.
        const TILE: usize = 128;
        let (rows, columns, bits) = (self.rows, self.columns, self.packing.bits());
        let (per_word, mask) = (self.packing.per_word(), (1 << bits) - 1);
        let mut levels = vec![0i16; rows * columns];
        let tiles = levels.par_chunks_mut(TILE * columns).enumerate();
        tiles.for_each(|(tile, levels)| {
            let first = tile * TILE;
            for column in 0..columns {
                let zeros = &self.zeros[self.groups[column] * rows + first..];
                let rows_of = levels.chunks_exact_mut(columns).zip(zeros).enumerate();
                for (i, (levels, zero)) in rows_of {
                    let row = first + i;
                    let (at, place) = match self.packing {
                        Packing::Awq => (
                            column * (rows / per_word) + row / per_word,
                            AWQ_PLACES[row % per_word],
                        ),
                        Packing::Gptq { .. } => {
                            (column / per_word * rows + row, column % per_word)
                        }
                    };
                    let number = word(self.numbers, at) >> (place as u32 * bits) & mask;
                    levels[column] = number as i16 - zero;
                }
            }
        });
        levels
    }

    /// Its weights in f32, `(rows, columns)`.
    pub fn dequantize(&self) -> Vec<f32> {
        let mut weights = vec![0f32; self.rows * self.columns];
        let levels = self.levels();
        weights
            .par_chunks_mut(self.columns)
            .zip(levels.par_chunks(self.columns))
            .enumerate()
            .for_each(|(row, (weights, levels))| {
                let each = weights.iter_mut().zip(levels).zip(&self.groups);
                for ((weight, level), group) in each {
                    *weight = f32::from(*level) * self.scales[group * self.rows + row];
                }
            });
        weights
    }

    /// The bytes of its rows as blocks of Q8_0 that hold the same numbers. `None` where no such
    /// blocks do.
    pub fn q8_0(&self) -> Option<Vec<u8>> {
        let blocks = self.groups.chunks(BLOCK);
        let whole = self.columns.is_multiple_of(BLOCK)
            && blocks.clone().all(|block| block.iter().all(|group| *group == block[0]));
        let exact = |scale: &f32| f16::from_f32(*scale).to_f32() == *scale;
        if !whole || !self.scales.iter().all(exact) {
            return None;
        }
        let levels = self.levels();
        if levels.iter().any(|level| i8::try_from(*level).is_err()) {
            return None;
        }
        let row_bytes = self.columns / BLOCK * (2 + BLOCK);
        let mut bytes = vec![0u8; self.rows * row_bytes];
        bytes
            .par_chunks_mut(row_bytes)
            .zip(levels.par_chunks(self.columns))
            .enumerate()
            .for_each(|(row, (bytes, levels))| {
                let blocks = bytes.chunks_exact_mut(2 + BLOCK).zip(levels.chunks(BLOCK));
                for ((block, levels), groups) in blocks.zip(self.groups.chunks(BLOCK)) {
                    let scale = f16::from_f32(self.scales[groups[0] * self.rows + row]);
                    let (head, rest) = block.split_at_mut(2);
                    head.copy_from_slice(&scale.to_le_bytes());
                    for (byte, level) in rest.iter_mut().zip(levels) {
                        *byte = *level as u8;
                    }
                }
            });
        Some(bytes)
    }
}

/// Whether a stored bias adds nothing: some programs give one to every packed layer.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
