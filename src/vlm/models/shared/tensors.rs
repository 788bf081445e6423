//! The tensors of a checkpoint: their names and shapes.
//!
//! Names are `visual.*`, `model.*` and `lm_head.weight`, as most checkpoints are published. Newer
//! versions of transformers write `model.visual.*` and `model.language_model.*`.

/// The head, absent where the embedding serves as one.
pub const HEAD: &str = "lm_head.weight";

/// The name used here of a tensor that a file stores as `stored`.
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
    fn older_and_newer_layouts_have_one_name() {
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
