//! Options of a local model.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceChoice {
    Auto,
    Cpu,
    Cuda(usize),
    Metal,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    #[default]
    Auto,
    Fp32,
    Bf16,
    Fp16,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quantize {
    /// `q8_0` on the CPU, none on an accelerator.
    #[default]
    Auto,
    None,
    Q8_0,
    Q4K,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOptions {
    /// Hugging Face id, checkpoint folder, or `demo`.
    pub model: String,
    pub revision: String,
    pub offline: bool,
    pub device: DeviceChoice,
    pub precision: Precision,
    pub quantize: Quantize,
    /// Sequences in flight; `None` chooses by the machine.
    pub batch_size: Option<usize>,
    /// Limit of the KV cache in bytes; `None` chooses by the device.
    pub kv_memory: Option<u64>,
}
