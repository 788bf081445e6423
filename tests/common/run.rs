//! How a model is run, as the settings say it.

use labeler_tui::settings::{DeviceChoice, ModelOptions, Precision, Quantize};

/// On the CPU, all by itself but the memory for keys and values.
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
