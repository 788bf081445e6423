//! Linear layers quantized by AWQ or GPTQ: packed integers of four or eight bits, with a scale and a
//! zero point for each output and group of inputs.
//!
//! A weight is `(number - zero) * scale`. If groups align with Q8_0 blocks, as the usual groups of
//! 128 do, each becomes Q8_0 blocks with the same scale, and repacking is lossless.

use super::refusals::{Refusal, USE_ORIGINAL};
use candle_core::Result;
use half::f16;
use rayon::prelude::*;
use serde_json::Value;

/// The packing format of a checkpoint's linear layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Four bits; a word contains eight outputs of one input, in the order of AWQ's `gemm` kernel.
    Awq,
    /// A word contains consecutive inputs of one output.
    Gptq {
        bits: u32,
        /// Zero points are stored minus one.
        minus_one: bool,
    },
}

impl Packing {
    /// Reads `quantization_config` of a `config.json`. `None` if nothing is packed.
    ///
    /// # Errors
    /// If the format is not supported.
    pub fn read(config: &Value) -> std::result::Result<Option<Self>, Refusal> {
        let of = |config: &'_ Value| {
            let packed = config.get("quantization_config");
            packed.filter(|it| !it.is_null()).cloned()
        };
        let nested = || of(config.get("text_config")?);
        let packed = of(config).or_else(nested);
        // MLX writes its own key and, since 2024, a copy under the usual key, without a method.
        let own = config.get("quantization");
        let is_named = |packed: &Value| packed.get("quant_method").is_some();
        if own.is_some_and(|own| own.get("group_size").is_some())
            && !packed.as_ref().is_some_and(is_named)
        {
            return Err(Refusal::new(
                "its weights are quantized for MLX, which is not supported",
                format!("{USE_ORIGINAL}, or serve this one with mlx_vlm and use --endpoint"),
            ));
        }
        packed.map(|packed| Self::parse(&packed)).transpose()
    }

    fn parse(packed: &Value) -> std::result::Result<Self, Refusal> {
        let text = |key: &str| packed.get(key).and_then(Value::as_str);
        let bits_loaded = ["load_in_4bit", "load_in_8bit", "_load_in_4bit"];
        let method = match text("quant_method") {
            None if bits_loaded.iter().any(|key| packed.get(key).is_some()) => "bitsandbytes",
            method => method.unwrap_or("an unnamed method"),
        };
        let bits = ["bits", "w_bit"].iter().find_map(|key| packed.get(key));
        let bits = bits.and_then(Value::as_u64);
        let layout = ["checkpoint_format", "format", "version"]
            .iter()
            .find_map(|key| text(key))
            .map(str::to_lowercase);
        // Words of another size would be unpacked in the wrong order.
        let words = text("pack_dtype").unwrap_or("int32");
        let known = match (method, bits, layout.as_deref(), words) {
            ("awq" | "gptq", Some(4), Some("gemm"), "int32") => Some(Self::Awq),
            ("awq", Some(4), None, "int32") => Some(Self::Awq),
            ("gptq", Some(bits @ (4 | 8)), layout @ (None | Some("gptq" | "gptq_v2")), "int32") => {
                Some(Self::Gptq {
                    bits: bits as u32,
                    minus_one: layout != Some("gptq_v2"),
                })
            }
            _ => None,
        };
        known.ok_or_else(|| {
            let mut how = method.to_owned();
            if let ("awq" | "gptq", Some(bits)) = (method, bits) {
                how = format!("{bits}-bit {method}");
                if let Some(layout) = layout.filter(|layout| layout != method) {
                    how.push_str(&format!(" in the {layout} layout"));
                }
                if words != "int32" {
                    how.push_str(&format!(" in {words} words"));
                }
            }
            let served = match method {
                "awq" | "gptq" | "fp8" | "fbgemm_fp8" | "compressed-tensors" => {
                    ", or serve this one with vLLM and use --endpoint"
                }
                _ => "",
            };
            Refusal::new(
                format!("its weights are quantized with {how}, which is not supported"),
                format!("{USE_ORIGINAL}{served}"),
            )
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Awq => "awq",
            Self::Gptq {
                minus_one: true, ..
            } => "gptq",
            Self::Gptq { .. } => "gptq_v2",
        }
    }

    fn bits(self) -> u32 {
        match self {
            Self::Awq => 4,
            Self::Gptq { bits, .. } => bits,
        }
    }

    /// Numbers per 32-bit word.
    fn per_word(self) -> usize {
        (u32::BITS / self.bits()) as usize
    }

    /// `[outputs, inputs]` of a matrix, from the shape of its packed numbers.
    pub fn matrix_shape(self, packed: &[usize]) -> Option<[usize; 2]> {
        let &[first, second] = packed else {
            return None;
        };
        Some(match self {
            Self::Awq => [second * self.per_word(), first],
            Self::Gptq { .. } => [second, first * self.per_word()],
        })
    }
}

/// The position of each of eight outputs in an AWQ word.
const AWQ_ORDER: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Weights that share a scale in Q8_0.
const BLOCK: usize = 32;

/// The stored tensors of a packed matrix, except its scales.
#[derive(Debug)]
pub struct PackedParts<T> {
    pub numbers: T,
    pub zeros: T,
    /// The group of each input, if stored.
    pub groups: Option<T>,
}

/// A packed matrix; rows are outputs, columns are inputs.
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

fn word(bytes: &[u8], index: usize) -> u32 {
    match bytes.as_chunks().0.get(index) {
        Some(word) => u32::from_le_bytes(*word),
        None => 0,
    }
}

impl<'a> PackedMatrix<'a> {
    pub fn new(
        packing: Packing,
        [rows, columns]: [usize; 2],
        parts: PackedParts<&'a [u8]>,
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
            candle_core::bail!("its zero points or scales do not match its shape")
        }
        let groups: Vec<usize> = match parts.groups.filter(|groups| !groups.is_empty()) {
            Some(groups) => (0..words(groups))
                .map(|i| word(groups, i) as usize)
                .collect(),
            None if columns.is_multiple_of(count) => {
                (0..columns).map(|i| i / (columns / count)).collect()
            }
            None => candle_core::bail!("{columns} inputs do not divide into {count} groups"),
        };
        if groups.len() != columns || groups.iter().any(|group| *group >= count) {
            candle_core::bail!("g_idx does not assign a valid group to each of {columns} inputs")
        }
        let mask = (1 << packing.bits()) - 1;
        let zero = |at: usize| {
            let (group, row) = (at / rows, at % rows);
            let words = group * (rows / per_word) + row / per_word;
            let place = match packing {
                Packing::Awq => AWQ_ORDER[row % per_word],
                Packing::Gptq { .. } => row % per_word,
            };
            let stored = word(parts.zeros, words) >> (place as u32 * packing.bits()) & mask;
            let zero = match packing {
                Packing::Gptq {
                    minus_one: true, ..
                } => (stored + 1) & mask,
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

    /// Unpacks the numbers minus their zero points, `(rows, columns)`.
    fn levels(&self) -> Vec<i16> {
        // Rows that are unpacked together, so that each cache line of words is read once.
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
                            AWQ_ORDER[row % per_word],
                        ),
                        Packing::Gptq { .. } => (column / per_word * rows + row, column % per_word),
                    };
                    let number = word(self.numbers, at) >> (place as u32 * bits) & mask;
                    levels[column] = number as i16 - zero;
                }
            }
        });
        levels
    }

    /// Dequantizes to f32, `(rows, columns)`.
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

    /// Converts the rows to Q8_0 blocks with exactly the same weights. `None` if Q8_0 cannot
    /// represent them.
    pub fn q8_0(&self) -> Option<Vec<u8>> {
        let blocks = self.groups.chunks(BLOCK);
        let whole = self.columns.is_multiple_of(BLOCK)
            && blocks
                .clone()
                .all(|block| block.iter().all(|group| *group == block[0]));
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::{GgmlDType, QStorage, QTensor};
    use candle_core::{Device, Tensor};
    use serde_json::json;

    const ROWS: usize = 16;
    const COLUMNS: usize = 64;

    /// Pseudorandom numbers of `bits` bits.
    fn number(bits: u32, at: usize) -> u32 {
        (at as u32).wrapping_mul(2_654_435_761) >> (32 - bits)
    }

    fn scale(group: usize, row: usize) -> f32 {
        f16::from_f32(0.01 + 0.003 * (group * ROWS + row) as f32).to_f32()
    }

    struct Example {
        packing: Packing,
        numbers: Vec<u8>,
        zeros: Vec<u8>,
        groups: Option<Vec<u8>>,
        scales: Vec<f32>,
        /// `(rows, columns)`.
        weights: Vec<f32>,
    }

    /// Packs a matrix number by number, following the format descriptions. `group` maps a column to
    /// its group.
    fn example(packing: Packing, group: impl Fn(usize) -> usize, listed: bool) -> Example {
        let (bits, per_word) = (packing.bits(), packing.per_word());
        let count = (0..COLUMNS).map(&group).max().unwrap() + 1;
        // The order in which AutoAWQ packs outputs into a word.
        let order = [0, 2, 4, 6, 1, 3, 5, 7];
        let place = |output: usize| match packing {
            Packing::Awq => order.iter().position(|o| *o == output % 8).unwrap(),
            Packing::Gptq { .. } => output % per_word,
        };
        let mut numbers = vec![0u32; ROWS * COLUMNS / per_word];
        let mut zeros = vec![0u32; ROWS * count / per_word];
        let mut weights = Vec::new();
        let zero = |group: usize, row: usize| number(bits, 7 + group * ROWS + row);
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let number = number(bits, row * COLUMNS + column);
                let (word, at) = match packing {
                    Packing::Awq => (column * (ROWS / 8) + row / 8, place(row)),
                    Packing::Gptq { .. } => (column / per_word * ROWS + row, column % per_word),
                };
                numbers[word] |= number << (at as u32 * bits);
                let group = group(column);
                let level = number as i32 - zero(group, row) as i32;
                weights.push(level as f32 * scale(group, row));
            }
            for group in 0..count {
                let stored = match packing {
                    Packing::Gptq {
                        minus_one: true, ..
                    } => zero(group, row).wrapping_sub(1) & ((1 << bits) - 1),
                    _ => zero(group, row),
                };
                let word = group * (ROWS / per_word) + row / per_word;
                zeros[word] |= stored << (place(row) as u32 * bits);
            }
        }
        let bytes = |words: Vec<u32>| words.into_iter().flat_map(u32::to_le_bytes).collect();
        Example {
            packing,
            numbers: bytes(numbers),
            zeros: bytes(zeros),
            groups: listed.then(|| bytes((0..COLUMNS).map(|c| group(c) as u32).collect())),
            scales: (0..count * ROWS)
                .map(|i| scale(i / ROWS, i % ROWS))
                .collect(),
            weights,
        }
    }

    impl Example {
        fn matrix(&self) -> PackedMatrix<'_> {
            let parts = PackedParts {
                numbers: &self.numbers[..],
                zeros: &self.zeros[..],
                groups: self.groups.as_deref(),
            };
            PackedMatrix::new(self.packing, [ROWS, COLUMNS], parts, self.scales.clone()).unwrap()
        }

        /// Dequantizes the Q8_0 blocks.
        fn blocks(&self) -> Option<Vec<f32>> {
            let bytes = self.matrix().q8_0()?;
            let storage = QStorage::from_data(bytes.into(), &Device::Cpu, GgmlDType::Q8_0).unwrap();
            let matrix = QTensor::new(storage, (ROWS, COLUMNS)).unwrap();
            let weights: Tensor = matrix.dequantize(&Device::Cpu).unwrap();
            Some(weights.flatten_all().unwrap().to_vec1().unwrap())
        }
    }

    const INT4: Packing = Packing::Gptq {
        bits: 4,
        minus_one: true,
    };
    const INT4_V2: Packing = Packing::Gptq {
        bits: 4,
        minus_one: false,
    };
    const INT8: Packing = Packing::Gptq {
        bits: 8,
        minus_one: true,
    };

    #[test]
    fn every_format_converts_to_f32_and_q8_0_without_loss() {
        for packing in [Packing::Awq, INT4, INT4_V2] {
            for (size, listed) in [(64, false), (32, false), (32, true)] {
                let example = example(packing, |column| column / size, listed);
                assert_eq!(
                    example.matrix().dequantize(),
                    example.weights,
                    "{packing:?}"
                );
                assert_eq!(example.blocks().unwrap(), example.weights, "{packing:?}");
            }
        }
    }

    #[test]
    fn weights_that_q8_0_cannot_represent_are_only_dequantized() {
        // Interleaved groups, groups smaller than blocks, and levels that need nine bits.
        let ordered = example(INT4_V2, |column| column * 7 % 4, true);
        let small = example(Packing::Awq, |column| column / 16, false);
        let wide = example(INT8, |column| column / 32, false);
        for example in [ordered, small, wide] {
            assert_eq!(example.matrix().dequantize(), example.weights);
            assert_eq!(example.blocks(), None);
        }
    }

    #[test]
    fn parts_of_the_wrong_size_are_an_error() {
        let good = example(INT4, |column| column / 32, true);
        let new = |numbers: &[u8], zeros: &[u8], groups: &[u8], scales: &[f32]| {
            let parts = PackedParts {
                numbers,
                zeros,
                groups: Some(groups),
            };
            PackedMatrix::new(INT4, [ROWS, COLUMNS], parts, scales.to_vec()).map(|_| ())
        };
        let groups = good.groups.as_deref().unwrap();
        new(&good.numbers, &good.zeros, groups, &good.scales).unwrap();
        new(&good.numbers[4..], &good.zeros, groups, &good.scales).unwrap_err();
        new(&good.numbers, &good.zeros[4..], groups, &good.scales).unwrap_err();
        new(&good.numbers, &good.zeros, &groups[4..], &good.scales).unwrap_err();
        new(&good.numbers, &good.zeros, groups, &[]).unwrap_err();
        // The second group is missing.
        let one = (&good.zeros[..ROWS / 2], &good.scales[..ROWS]);
        new(&good.numbers, one.0, groups, one.1).unwrap_err();
    }

    #[test]
    fn quantization_config_selects_the_format() {
        let read = |packed: Value| Packing::read(&json!({"quantization_config": packed}));
        assert_eq!(Packing::read(&json!({})), Ok(None));
        assert_eq!(read(Value::Null), Ok(None));
        for (packed, packing) in [
            (
                json!({"quant_method": "awq", "bits": 4, "version": "GEMM"}),
                Packing::Awq,
            ),
            (json!({"quant_method": "awq", "w_bit": 4}), Packing::Awq),
            (
                json!({"quant_method": "gptq", "bits": 4, "sym": true}),
                INT4,
            ),
            (
                json!({"quant_method": "gptq", "bits": 8, "checkpoint_format": "gptq"}),
                INT8,
            ),
            (
                json!({"quant_method": "gptq", "bits": 4, "format": "gptq_v2"}),
                INT4_V2,
            ),
        ] {
            assert_eq!(read(packed.clone()), Ok(Some(packing)));
            let nested = json!({"text_config": {"quantization_config": packed}});
            assert_eq!(Packing::read(&nested), Ok(Some(packing)));
        }
        for (packed, expected) in [
            (json!({"quant_method": "gptq", "bits": 3}), "3-bit gptq"),
            (
                json!({"quant_method": "awq", "bits": 4, "version": "gemv"}),
                "the gemv layout",
            ),
            (
                json!({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}),
                "the marlin layout",
            ),
            (
                json!({"quant_method": "gptq", "bits": 4, "pack_dtype": "int64"}),
                "int64 words",
            ),
            (json!({"quant_method": "fp8"}), "fp8"),
            (json!({"load_in_8bit": true}), "bitsandbytes"),
            (json!({}), "an unnamed method"),
        ] {
            let refusal = read(packed).unwrap_err();
            assert!(refusal.cause.contains(expected), "{}", refusal.cause);
        }
    }
}
