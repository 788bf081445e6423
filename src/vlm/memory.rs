//! The memory that a model takes, known before any of its weights is loaded.

use super::architecture::Architecture;
use super::checkpoint::tensor_list::Role;
use super::device::{self, LoadOptions};
use super::nn::Backend;
use super::nn::linear::{Form, Quantization};
use crate::error::{Error, ErrorKind, Result};
use crate::text::gibibytes;
use candle_core::{DType, Device};

/// Keys and values at most, unless the user says otherwise: on the CPU, and where a device does not
/// tell how much is free.
const KV_BYTES: u64 = 2 << 30;
/// What a step computes with, on an accelerator.
const STEP_BYTES: u64 = 512 << 20;

/// Bytes of the weights on the device, as they are loaded.
pub fn weight_bytes(architecture: &dyn Architecture, options: &LoadOptions) -> u64 {
    weight_bytes_as(architecture, options, options.quantization)
}

fn weight_bytes_as(
    architecture: &dyn Architecture,
    options: &LoadOptions,
    quantization: Option<Quantization>,
) -> u64 {
    let on_cpu = options.device.is_cpu();
    let plain = match options.backend {
        Backend::Slices => DType::F32,
        Backend::Tensors => options.dtype,
    };
    let bytes = architecture.tensors().into_iter().map(|tensor| {
        let numbers = tensor.shape.iter().product::<usize>();
        let matrix = |quantization| {
            let columns = tensor.shape.last().copied().unwrap_or(1);
            let shape = (numbers / columns.max(1), columns);
            Form::of(quantization, columns, on_cpu).bytes(shape, options.dtype)
        };
        match tensor.role {
            Role::Layer => matrix(quantization),
            Role::Vocabulary => matrix(quantization.map(|_| Quantization::OF_VOCABULARY)),
            Role::Exact => matrix(None),
            Role::Plain => numbers * plain.size_in_bytes(),
            // Beside what a device holds.
            Role::Table if !on_cpu => 0,
            Role::Table => numbers * DType::F32.size_in_bytes(),
        }
    });
    bytes.sum::<usize>() as u64
}

/// Refuses a model that cannot fit its device.
///
/// # Errors
/// Weights, or weights with the memory that the user gives to keys and values, that are larger than
/// what there is. The hint names what would fit.
pub fn check(
    architecture: &dyn Architecture,
    options: &LoadOptions,
    kv_memory: Option<u64>,
) -> Result<()> {
    let on_cpu = options.device.is_cpu();
    let room = match on_cpu {
        // What others hold can give way; more than there is cannot.
        true => device::installed_memory(),
        false => device::free_memory(&options.device),
    };
    let Some(room) = room else {
        return Ok(());
    };
    let rest = if on_cpu { 0 } else { STEP_BYTES };
    let caches = kv_memory.unwrap_or(0);
    let fits = |weights: u64| weights + caches + rest <= room;
    let weights = weight_bytes(architecture, options);
    if fits(weights) {
        return Ok(());
    }
    let mut help: Vec<String> = Vec::new();
    if caches > 0 && weights + rest <= room {
        help.push("a smaller --kv-memory".to_owned());
    }
    for kind in [Quantization::Q8_0, Quantization::Q4K] {
        let smaller = weight_bytes_as(architecture, options, Some(kind));
        if smaller < weights && fits(smaller) {
            help.push(format!(
                "--quantize {} ({})",
                kind.name(),
                gibibytes(smaller)
            ));
        }
    }
    if !on_cpu {
        help.push("--device cpu".to_owned());
    }
    help.push("a smaller model, or a server with --endpoint".to_owned());
    let caches = match caches {
        0 => String::new(),
        bytes => format!(" and {} for keys and values", gibibytes(bytes)),
    };
    Err(Error::new(
        ErrorKind::Model,
        format!(
            "the model does not fit: its weights take {}{caches}, {} has {}",
            gibibytes(weights),
            device::describe(&options.device),
            gibibytes(room),
        ),
    )
    .with_hint(format!("use {}", help.join(", or "))))
}

/// The most bytes of keys and values, where `free` are left beside the weights.
pub fn kv_bytes(kv_memory: Option<u64>, device: &Device, free: Option<u64>) -> u64 {
    match kv_memory {
        Some(bytes) => bytes,
        None if device.is_cpu() => KV_BYTES,
        // The rest is for what steps compute with.
        None => free.map_or(KV_BYTES, |free| free / 2),
    }
}
