//! Tensor names of checkpoints.
//!
//! Names are `visual.*`, `model.*` and `lm_head.weight`, as in most published checkpoints. Newer
//! versions of transformers write `model.visual.*` and `model.language_model.*`.

/// The output head; absent if the embedding serves as the head.
pub const HEAD: &str = "lm_head.weight";

/// Maps the name of a stored tensor to the name used in this program.
pub fn name(stored: &str) -> String {
    for (prefix, ours) in [
        ("model.visual.", "visual."),
        ("model.language_model.", "model."),
        ("language_model.model.", "model."),
        ("language_model.lm_head.", "lm_head."),
        ("language_model.", "model."),
    ] {
        if let Some(rest) = stored.strip_prefix(prefix) {
            return format!("{ours}{rest}");
        }
    }
    stored.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_and_newer_names_map_to_the_same() {
        for (stored, ours) in [
            (
                "visual.blocks.0.norm1.weight",
                "visual.blocks.0.norm1.weight",
            ),
            (
                "model.visual.merger.ln_q.weight",
                "visual.merger.ln_q.weight",
            ),
            (
                "model.layers.1.mlp.up_proj.weight",
                "model.layers.1.mlp.up_proj.weight",
            ),
            ("model.language_model.norm.weight", "model.norm.weight"),
            ("language_model.norm.weight", "model.norm.weight"),
            ("language_model.model.norm.weight", "model.norm.weight"),
            ("language_model.lm_head.weight", "lm_head.weight"),
            ("lm_head.weight", "lm_head.weight"),
        ] {
            assert_eq!(name(stored), ours);
        }
    }
}
