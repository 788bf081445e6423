//! Estimates the working memory of a step on an accelerator: everything except weights and KV
//! cache.
//!
//! The vision tower, the layers and the head run one after the other and reuse each other's
//! memory, so the largest of the three counts. Each estimate follows what the code keeps alive at
//! once:
//!
//! - `nn/linear.rs` dequantizes a whole matrix to multiply it by many rows.
//! - `nn/attention/tensors.rs` holds the scores of all heads several times.
//! - Between two norms, a few activation matrices are alive.
//! - `generate/logits.rs` holds the logits once in the activation type and three times in f32.

use crate::vlm::architecture::ModelSpec;
use crate::vlm::checkpoint::tensor_list::{ExpectedTensor, Role};
use crate::vlm::device::LoadOptions;
use crate::vlm::generate::scheduler::VISION_PATCHES;
use crate::vlm::nn::kv::pool::score_dtype;
use crate::vlm::nn::linear::{MatrixFormat, Quantization};
use candle_core::DType;

/// Upper bounds of a step's size.
#[derive(Debug, Clone, Copy)]
pub struct StepSize {
    /// Prompt tokens.
    pub tokens: usize,
    /// Tokens that each of them attends to.
    pub columns: usize,
    /// Answers whose next token is sampled.
    pub answers: usize,
}

/// Patches of a 51-pixel icon upscaled four times.
const ICON_PATCHES: usize = 256;

/// Activation matrices of the MLP's intermediate width that are alive at once.
const ALIVE: usize = 6;

/// Upper bound of a step's working memory, with matrices quantized as given.
pub fn bytes(
    spec: &ModelSpec,
    tensors: &[ExpectedTensor],
    options: &LoadOptions,
    quantization: Option<Quantization>,
    size: &StepSize,
) -> u64 {
    let dtype = options.dtype;
    let largest = |role: Role| {
        let matrices = tensors.iter().filter(move |tensor| tensor.role == role);
        matrices.map(move |tensor| {
            dequantized(&tensor.shape, quantization_of(role, quantization), dtype)
        })
    };
    // Gate and up, the largest layers, are held as one matrix.
    let layer = 2 * largest(Role::Layer).max().unwrap_or(0);
    let vocabulary = largest(Role::Vocabulary).max().unwrap_or(0);
    let activations = |rows: usize, widest: usize| ALIVE * rows * widest * dtype.size_in_bytes();

    let vision = activations(VISION_PATCHES, spec.vision_inner)
        + spec.vision_heads * VISION_PATCHES * ICON_PATCHES * score_bytes(dtype);
    // A tile for each of up to twice as many slots as there are sequences.
    let rows = 2 * size.tokens;
    let layers = activations(size.tokens, spec.inner)
        + spec.heads.heads * rows * size.columns * score_bytes(dtype);
    let logit = dtype.size_in_bytes() + 3 * DType::F32.size_in_bytes();
    let head = vocabulary + size.answers * spec.vocab_size * logit;
    (layer + vision.max(layers)).max(head) as u64
}

fn quantization_of(role: Role, layers: Option<Quantization>) -> Option<Quantization> {
    match role {
        Role::Vocabulary => layers.map(|_| Quantization::OF_VOCABULARY),
        _ => layers,
    }
}

/// Extra bytes that a matrix takes while it is multiplied.
fn dequantized(shape: &[usize], quantization: Option<Quantization>, dtype: DType) -> usize {
    let numbers: usize = shape.iter().product();
    let columns = shape.last().copied().unwrap_or(1);
    match (MatrixFormat::of(quantization, columns, false), dtype) {
        (MatrixFormat::Dense | MatrixFormat::Int8(_), _) => 0,
        (MatrixFormat::Quantized(_), DType::F32 | DType::F16) => numbers * dtype.size_in_bytes(),
        // Dequantized to fp16 first.
        (MatrixFormat::Quantized(_), _) => {
            numbers * (DType::F16.size_in_bytes() + dtype.size_in_bytes())
        }
    }
}

/// Bytes of one attention score of one head: as a product, with its mask, concatenated, in f32, and
/// as a softmax weight in f32 and in the activation type.
fn score_bytes(dtype: DType) -> usize {
    let score = score_dtype(dtype);
    let wide = DType::F32.size_in_bytes();
    let cast = match score {
        DType::F32 => 0,
        _ => wide,
    };
    3 * score.size_in_bytes() + wide + cast.max(dtype.size_in_bytes())
}
