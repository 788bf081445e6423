//! Model options for tests.

use labeler_tui::vlm::{DeviceChoice, ModelOptions, Precision, Quantize};

/// Options for the CPU with this KV cache limit and defaults for everything else.
pub fn run_options(kv_memory: Option<u64>) -> ModelOptions {
    ModelOptions {
        model: String::new(),
        revision: "main".into(),
        offline: true,
        device: DeviceChoice::Cpu,
        precision: Precision::Auto,
        quantize: Quantize::Auto,
        batch_size: None,
        kv_memory,
    }
}
