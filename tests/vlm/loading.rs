//! Checkpoints that are damaged or do not fit together.

use super::*;

/// A copy of a fixture, to be damaged.
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

/// The error of loading a folder that must not load.
fn refusal(folder: &Path) -> String {
    let loaded = CheckpointFiles::folder(folder)
        .and_then(|files| vlm::load(&files, &options(None), &mut |_, _| {}));
    loaded.unwrap_err().cause
}

fn edit_config(folder: &Path, file: &str, edit: impl Fn(&mut serde_json::Value)) {
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
fn tensors_that_do_not_fit_are_listed() {
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
fn a_configuration_that_makes_no_sense_is_an_error() {
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
