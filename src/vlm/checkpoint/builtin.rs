//! The demo model that is part of the program.

/// How a user names it.
pub const NAME: &str = "demo";

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../../assets/demo-model/", $name)).as_slice(),
        )
    };
}

/// Its files as a checkpoint folder holds them: name and content.
pub const DEMO: &[(&str, &[u8])] = &[
    file!("config.json"),
    file!("generation_config.json"),
    file!("preprocessor_config.json"),
    file!("tokenizer.json"),
    file!("model.safetensors"),
];
