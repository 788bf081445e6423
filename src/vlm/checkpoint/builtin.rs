//! The demo model that is part of the program.

/// Its name for `--model`.
pub const NAME: &str = "demo";

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../../assets/demo-model/", $name)).as_slice(),
        )
    };
}

/// The files of its checkpoint folder: name and content.
pub const DEMO: &[(&str, &[u8])] = &[
    file!("config.json"),
    file!("generation_config.json"),
    file!("preprocessor_config.json"),
    file!("tokenizer.json"),
    file!("model.safetensors"),
];
