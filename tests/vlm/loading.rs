//! Damaged, inconsistent and unsupported checkpoints, and memory estimates.

use super::*;
use crate::run::run_options;
use labeler_tui::vlm::checkpoint::files::Gate;
use labeler_tui::vlm::memory::Memory;

/// Copies a fixture to a temporary folder.
fn copy(fixture: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixtures().join(fixture)).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    folder
}

/// Loads a folder that must fail; returns the error.
fn refusal(folder: &Path) -> String {
    let loaded = CheckpointFiles::folder(folder)
        .and_then(|files| vlm::load(&files, &options(None), &mut |_, _| {}));
    loaded.unwrap_err().cause
}

pub fn edit_config(folder: &Path, file: &str, edit: impl Fn(&mut serde_json::Value)) {
    let path = folder.join(file);
    let mut json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let folder = copy("flat");
    let path = folder.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = refusal(folder.path());
        assert!(
            error.contains("model.safetensors"),
            "{length} bytes: {error}"
        );
    }
    let mut noise = whole;
    noise[8..40].fill(b'x');
    std::fs::write(&path, noise).unwrap();
    assert!(refusal(folder.path()).contains("model.safetensors"));
}

#[test]
fn missing_unused_and_misshapen_tensors_are_listed() {
    let folder = copy("flat");
    edit_config(folder.path(), "config.json", |config| {
        config["num_hidden_layers"] = 3.into();
        config["vision_config"]["depth"] = 1.into();
    });
    let error = refusal(folder.path());
    let (missing, unused) = error.split_once("; not used: ").unwrap();
    assert!(
        missing.contains("model.layers.2.self_attn.q_proj.weight [64, 64]"),
        "{error}"
    );
    assert!(unused.contains("visual.blocks.1."), "{error}");

    let folder = copy("flat");
    edit_config(folder.path(), "config.json", |config| {
        config["intermediate_size"] = 96.into();
    });
    let error = refusal(folder.path());
    assert!(
        error.contains("[64, 96] (the file has [64, 128])"),
        "{error}"
    );
}

#[test]
fn the_weights_of_an_adapter_in_a_checkpoint_are_named_as_such() {
    let folder = copy("flat");
    let path = folder.path().join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let name = "model.layers.0.self_attn.q_proj.weight";
    let layer = tensors.remove(name).unwrap();
    for part in ["base_layer", "lora_A.default", "lora_B.default"] {
        let name = name.replace("weight", &format!("{part}.weight"));
        tensors.insert(name, layer.clone());
    }
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let files = CheckpointFiles::folder(folder.path()).unwrap();
    let error = vlm::load(&files, &options(None), &mut |_, _| {}).unwrap_err();
    assert!(error.cause.contains("LoRA adapter"), "{error}");
    assert!(error.hint.unwrap().contains("merge it into its base model"));
}

#[test]
fn an_invalid_configuration_is_an_error_that_names_the_file() {
    let edits: [(&str, &str, serde_json::Value, &str); 9] = [
        ("config.json", "/model_type", "llama".into(), "llama"),
        ("config.json", "/num_attention_heads", 5.into(), "heads"),
        ("config.json", "/num_key_value_heads", 3.into(), "key/value"),
        ("config.json", "/num_key_value_heads", 0.into(), "key/value"),
        ("config.json", "/hidden_size", 0.into(), "hidden_size"),
        (
            "config.json",
            "/rope_scaling/mrope_section",
            vec![1, 1, 1].into(),
            "mrope_section",
        ),
        ("config.json", "/rope_scaling/type", "yarn".into(), "yarn"),
        (
            "config.json",
            "/image_token_id",
            5_000_000.into(),
            "5000000",
        ),
        (
            "preprocessor_config.json",
            "/max_pixels",
            1.into(),
            "pixels",
        ),
    ];
    for (file, pointer, value, expected) in edits {
        let folder = copy("flat");
        edit_config(folder.path(), file, |config| {
            *config.pointer_mut(pointer).unwrap() = value.clone();
        });
        let error = refusal(folder.path());
        assert!(error.contains(expected), "{pointer}: {error}");
        assert!(error.contains(file), "{pointer}: {error}");
    }
    let folder = copy("flat");
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(refusal(folder.path()).contains("config.json"));
}

/// Checks a folder that must be refused; returns the error's cause and hint.
fn check(folder: &Path) -> (String, String) {
    let gate = Gate {
        config: &vlm::models::refusals,
        ..Gate::OPEN
    };
    let error = CheckpointFiles::checked_folder(folder, &gate).unwrap_err();
    (error.cause, error.hint.unwrap_or_default())
}

#[test]
fn every_refusal_has_a_cause_and_a_hint() {
    type Edit = fn(&Path);
    let cases: [(&str, Edit, &str, &str); 13] = [
        (
            "another architecture",
            |folder| {
                edit_config(folder, "config.json", |config| {
                    config["model_type"] = "qwen3_vl_moe".into();
                });
            },
            "qwen3_vl_moe",
            "--endpoint",
        ),
        (
            "AWQ for another kernel",
            |folder| {
                let config = r#"{"quant_method": "awq", "bits": 4, "version": "gemv"}"#;
                pack(folder, config);
            },
            "4-bit awq in the gemv layout",
            "vLLM",
        ),
        (
            "3-bit GPTQ",
            |folder| pack(folder, r#"{"quant_method": "gptq", "bits": 3}"#),
            "3-bit gptq",
            "vLLM",
        ),
        (
            "fp8",
            |folder| pack(folder, r#"{"quant_method": "fp8"}"#),
            "fp8",
            "vLLM",
        ),
        (
            "bitsandbytes",
            |folder| pack(folder, r#"{"load_in_4bit": true}"#),
            "bitsandbytes",
            "--quantize q4k",
        ),
        (
            "MLX",
            |folder| {
                edit_config(folder, "config.json", |config| {
                    config["quantization"] = serde_json::json!({"group_size": 64, "bits": 4});
                });
            },
            "MLX",
            "--quantize q4k",
        ),
        (
            "MLX since 2024",
            |folder| {
                edit_config(folder, "config.json", |config| {
                    config["quantization"] = serde_json::json!({"group_size": 64, "bits": 4});
                    config["quantization_config"] = config["quantization"].clone();
                });
            },
            "MLX",
            "mlx_vlm",
        ),
        (
            "a LoRA adapter",
            |folder| {
                std::fs::remove_file(folder.join("config.json")).unwrap();
                std::fs::write(folder.join("adapter_config.json"), "{}").unwrap();
            },
            "LoRA",
            "merge it",
        ),
        (
            "GGUF",
            |folder| {
                std::fs::remove_file(folder.join("config.json")).unwrap();
                std::fs::write(folder.join("model-Q4_K_M.gguf"), "GGUF").unwrap();
            },
            "GGUF",
            "llama-server",
        ),
        (
            "pytorch_model.bin",
            |folder| {
                let weights = folder.join("model.safetensors");
                std::fs::rename(weights, folder.join("pytorch_model.bin")).unwrap();
            },
            "pytorch_model.bin",
            "save_pretrained",
        ),
        (
            "a Git LFS pointer instead of weights",
            |folder| std::fs::write(folder.join("model.safetensors"), POINTER).unwrap(),
            "model.safetensors is a Git LFS pointer",
            "git lfs pull",
        ),
        (
            "a Git LFS pointer instead of a configuration",
            |folder| std::fs::write(folder.join("config.json"), POINTER).unwrap(),
            "config.json is a Git LFS pointer",
            "git lfs pull",
        ),
        (
            "no weights",
            |folder| std::fs::remove_file(folder.join("model.safetensors")).unwrap(),
            "lacks model.safetensors",
            "published",
        ),
    ];
    for (case, edit, cause, hint) in cases {
        let folder = copy("flat");
        edit(folder.path());
        let error = check(folder.path());
        assert!(error.0.contains(cause), "{case}: {error:?}");
        assert!(error.1.contains(hint), "{case}: {error:?}");
    }
}

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";

fn pack(folder: &Path, quantization_config: &str) {
    edit_config(folder, "config.json", |config| {
        config["quantization_config"] = serde_json::from_str(quantization_config).unwrap();
    });
}

#[test]
fn all_problems_are_reported_at_once_in_a_stable_order() {
    let folder = copy("flat");
    edit_config(folder.path(), "config.json", |config| {
        config["model_type"] = "qwen3_vl_moe".into();
    });
    pack(folder.path(), r#"{"quant_method": "bitsandbytes"}"#);
    for file in ["model.safetensors", "tokenizer.json"] {
        std::fs::write(folder.path().join(file), POINTER).unwrap();
    }
    std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    let (cause, hint) = check(folder.path());
    let positions: Vec<usize> = [
        "qwen3_vl_moe",
        "bitsandbytes",
        "tokenizer.json is a Git LFS",
        "model.safetensors is a Git LFS",
        "lacks preprocessor_config.json",
    ]
    .iter()
    .map(|expected| {
        cause
            .find(expected)
            .unwrap_or_else(|| panic!("{expected}: {cause}"))
    })
    .collect();
    assert!(positions.is_sorted(), "{cause}");
    assert!(
        hint.contains("--endpoint") && hint.contains("git lfs pull"),
        "{hint}"
    );
    assert_eq!(check(folder.path()).0, cause);
}

#[test]
fn memory_is_estimated_before_weights_are_read() {
    let files = CheckpointFiles::folder(&fixtures().join("flat")).unwrap();
    let checkpoint = vlm::Checkpoint::open(&files).unwrap();
    let bytes = |quantization, kv_memory: Option<u64>| {
        let (options, run) = (options(quantization), run_options(kv_memory));
        let memory = checkpoint.memory(&options, &run);
        (memory.weight_bytes(), memory.check())
    };
    let (whole, fits) = bytes(None, None);
    assert_eq!(whole, checkpoint.stored_bytes());
    assert_eq!(fits, Ok(()));
    assert!(bytes(Some(Quantization::Q8_0), None).0 < whole / 2);
    let error = bytes(None, Some(1 << 50)).1.unwrap_err();
    assert!(error.cause.contains("does not fit"), "{error}");
    assert!(error.hint.unwrap().contains("a smaller --kv-memory"));
}

/// If the outer configuration says that the head is not tied and the inner one says that it is,
/// versions of transformers differ. Such a head is read if the checkpoint stores it, and then it
/// counts.
#[test]
fn an_optional_head_counts_if_it_is_stored() {
    let folder = copy("deepstack");
    edit_config(folder.path(), "config.json", |config| {
        config["tie_word_embeddings"] = false.into();
        config["text_config"]["tie_word_embeddings"] = true.into();
    });
    let run = run_options(None);
    let counted = |quantization| {
        let options = options(quantization);
        let files = CheckpointFiles::folder(folder.path()).unwrap();
        let checkpoint = vlm::Checkpoint::open(&files).unwrap();
        let least =
            Memory::from_config(checkpoint.architecture.as_ref(), &options, &run).weight_bytes();
        let counted = checkpoint.memory(&options, &run).weight_bytes();
        checkpoint.load(&files, &options, &mut |_, _| {}).unwrap();
        (least, counted)
    };
    let kinds = [None, Some(Quantization::Q8_0)];
    let without = kinds.map(counted);
    assert!(without.iter().all(|(least, counted)| least == counted));

    let files = CheckpointFiles::folder(folder.path()).unwrap();
    let spec = vlm::models::open(&files).unwrap().spec();
    let shape = (spec.vocab_size, spec.hidden_size);
    let head = Tensor::rand(-1f32, 1.0, shape, &Device::Cpu).unwrap();
    let head = HashMap::from([("lm_head.weight", head)]);
    candle_core::safetensors::save(&head, folder.path().join("head.safetensors")).unwrap();
    let shards = r#"{"weight_map": {"a": "model.safetensors", "b": "head.safetensors"}}"#;
    std::fs::write(folder.path().join("model.safetensors.index.json"), shards).unwrap();
    let more = kinds.map(counted);
    assert_eq!(
        more.map(|(least, _)| least),
        without.map(|(least, _)| least)
    );
    let grown = |kind: usize| more[kind].1 - without[kind].1;
    let numbers = (shape.0 * shape.1) as u64;
    assert_eq!(grown(0), numbers * 4);
    // Rows of 48 do not divide into Q8_0 blocks, so the head stays dense.
    assert_eq!(grown(1), numbers * 4);
}

/// Learned patch positions are stored in f32, whatever the type of the weights.
#[test]
fn position_embeddings_count_as_f32() {
    let folder = copy("deepstack");
    let bytes = |positions: usize, options: &LoadOptions| {
        edit_config(folder.path(), "config.json", |config| {
            config["vision_config"]["num_position_embeddings"] = positions.into();
        });
        let files = CheckpointFiles::folder(folder.path()).unwrap();
        let architecture = vlm::models::open(&files).unwrap();
        Memory::from_config(architecture.as_ref(), options, &run_options(None)).weight_bytes()
    };
    let (width, more) = (32, 400 - 36);
    for quantization in [None, Some(Quantization::Q8_0), Some(Quantization::Q4K)] {
        for dtype in [DType::F32, DType::BF16] {
            let options = LoadOptions {
                dtype,
                ..options(quantization)
            };
            let grown = bytes(400, &options) - bytes(36, &options);
            assert_eq!(grown, more * width * 4, "{quantization:?} {dtype:?}");
        }
    }
}
