//! What a step computes with on an accelerator, beside weights, keys and values.
//!
//! The vision tower, the layers and the head run one after the other, and the memory of one is free
//! for the next: the largest of the three counts. Each is counted by what the code holds at once:
//!
//! - `nn/linear.rs` dequantizes a whole matrix to multiply it by many rows.
//! - `nn/attention/tensors.rs` holds the scores of all heads several times.
//! - Between two norms a few matrices of activations are alive.
//! - `generate/logits.rs` holds logits in the type of activations and three times in f32.

use crate::vlm::architecture::ModelSpec;
use crate::vlm::checkpoint::tensor_list::{ExpectedTensor, Role};
use crate::vlm::device::LoadOptions;
use crate::vlm::generate::scheduler::VISION_PATCHES;
use crate::vlm::nn::kv::pool::score_dtype;
use crate::vlm::nn::linear::{Form, Quantization};
use candle_core::DType;

/// What is in a step at most.
#[derive(Debug, Clone, Copy)]
pub struct StepSize {
    /// Tokens of prompts.
    pub tokens: usize,
    /// Tokens that each of them sees.
    pub columns: usize,
    /// Answers that get their next token.
    pub answers: usize,
}

/// Patches of an icon of 51 pixels that is enlarged four times.
const ICON_PATCHES: usize = 256;

/// Matrices of activations, as wide as the inner layer of a block, that are alive at once.
const ALIVE: usize = 6;

/// Bytes of a step at most, with matrices quantized as given.
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

/// Bytes that a matrix takes beside itself while it is multiplied.
fn dequantized(shape: &[usize], quantization: Option<Quantization>, dtype: DType) -> usize {
    let numbers: usize = shape.iter().product();
    let columns = shape.last().copied().unwrap_or(1);
    match (Form::of(quantization, columns, false), dtype) {
        (Form::Dense | Form::Int8(_), _) => 0,
        (Form::Quantized(_), DType::F32 | DType::F16) => numbers * dtype.size_in_bytes(),
        // By way of fp16.
        (Form::Quantized(_), _) => numbers * (DType::F16.size_in_bytes() + dtype.size_in_bytes()),
    }
}

/// Bytes of one score of one head while they are computed: as a product, with its mask, beside
/// others, in f32, and as a weight in f32 and in the type of activations.
fn score_bytes(dtype: DType) -> usize {
    let score = score_dtype(dtype);
    let wide = DType::F32.size_in_bytes();
    let cast = match score {
        DType::F32 => 0,
        _ => wide,
    };
    3 * score.size_in_bytes() + wide + cast.max(dtype.size_in_bytes())
}
