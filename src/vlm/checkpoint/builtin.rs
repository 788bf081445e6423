//! The demo model that is built into the program.

/// The demo model's name for `--model`.
pub const NAME: &str = "demo";

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../../assets/demo-model/", $name)).as_slice(),
        )
    };
}

/// Names and contents of the demo model's checkpoint files.
pub const DEMO: &[(&str, &[u8])] = &[
    file!("config.json"),
    file!("generation_config.json"),
    file!("preprocessor_config.json"),
    file!("tokenizer.json"),
    file!("model.safetensors"),
];
