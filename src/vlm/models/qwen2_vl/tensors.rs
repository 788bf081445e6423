//! The tensors of a Qwen2-VL checkpoint: their names and shapes.
//!
//! Names are those published with the model (`visual.*`, `model.*`, `lm_head.weight`). Newer
//! versions of transformers write `model.visual.*` and `model.language_model.*`.

use super::config::{Config, VisionConfig};

/// The head, absent where the embedding serves as one.
pub const HEAD: &str = "lm_head.weight";

/// The published name of a tensor that a file stores as `name`.
pub fn published_name(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("model.visual.") {
        return format!("visual.{rest}");
    }
    if let Some(rest) = name.strip_prefix("model.language_model.") {
        return format!("model.{rest}");
    }
    name.to_owned()
}

/// Name and shape of every tensor of a checkpoint with this configuration.
pub fn all(config: &Config) -> Vec<(String, Vec<usize>)> {
    let text = &config.text;
    let vision = &config.vision;
    let mut all = Vec::new();
    let mut add = |name: String, shape: &[usize]| all.push((name, shape.to_vec()));

    let (dim, merged) = (vision.embed_dim, vision.embed_dim * vision.merge_unit());
    let patch = [
        dim,
        VisionConfig::CHANNELS,
        vision.temporal_patch_size,
        vision.patch_size,
        vision.patch_size,
    ];
    add("visual.patch_embed.proj.weight".into(), &patch);
    for layer in 0..vision.depth {
        let block = format!("visual.blocks.{layer}");
        for norm in ["norm1", "norm2"] {
            add(format!("{block}.{norm}.weight"), &[dim]);
            add(format!("{block}.{norm}.bias"), &[dim]);
        }
        for (name, rows, columns) in [
            ("attn.qkv", 3 * dim, dim),
            ("attn.proj", dim, dim),
            ("mlp.fc1", vision.mlp_dim(), dim),
            ("mlp.fc2", dim, vision.mlp_dim()),
        ] {
            add(format!("{block}.{name}.weight"), &[rows, columns]);
            add(format!("{block}.{name}.bias"), &[rows]);
        }
    }
    add("visual.merger.ln_q.weight".into(), &[dim]);
    add("visual.merger.ln_q.bias".into(), &[dim]);
    for (name, rows) in [("mlp.0", merged), ("mlp.2", vision.hidden_size)] {
        add(format!("visual.merger.{name}.weight"), &[rows, merged]);
        add(format!("visual.merger.{name}.bias"), &[rows]);
    }

    let (hidden, inner, kv) = (text.hidden_size, text.intermediate_size, text.kv_dim());
    add(
        "model.embed_tokens.weight".into(),
        &[text.vocab_size, hidden],
    );
    for layer in 0..text.num_hidden_layers {
        let block = format!("model.layers.{layer}");
        add(format!("{block}.input_layernorm.weight"), &[hidden]);
        add(
            format!("{block}.post_attention_layernorm.weight"),
            &[hidden],
        );
        for (name, rows) in [("q_proj", hidden), ("k_proj", kv), ("v_proj", kv)] {
            add(format!("{block}.self_attn.{name}.weight"), &[rows, hidden]);
            add(format!("{block}.self_attn.{name}.bias"), &[rows]);
        }
        add(
            format!("{block}.self_attn.o_proj.weight"),
            &[hidden, hidden],
        );
        add(format!("{block}.mlp.gate_proj.weight"), &[inner, hidden]);
        add(format!("{block}.mlp.up_proj.weight"), &[inner, hidden]);
        add(format!("{block}.mlp.down_proj.weight"), &[hidden, inner]);
    }
    add("model.norm.weight".into(), &[hidden]);
    if !text.tie_word_embeddings {
        add(HEAD.into(), &[text.vocab_size, hidden]);
    }
    all
}
