//! Checkpoints quantized with AWQ and GPTQ, against reference logits of the dequantized weights.

use super::loading::edit_config;
use super::*;

/// A temporary checkpoint folder for each variant of the `packed` fixture, with the variant's name.
fn variants() -> impl Iterator<Item = (String, tempfile::TempDir)> {
    let fixture = fixtures().join("packed");
    let all = std::fs::read(fixture.join("variants.json")).unwrap();
    let all: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&all).unwrap();
    assert_eq!(all.len(), 5);
    all.into_iter().map(move |(variant, quantization)| {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "config.json",
            "generation_config.json",
            "preprocessor_config.json",
            "tokenizer.json",
            "plain.safetensors",
            &format!("{variant}.safetensors"),
        ] {
            std::fs::copy(fixture.join(file), folder.path().join(file)).unwrap();
        }
        let shards = serde_json::json!({"weight_map": {
            "plain": "plain.safetensors", "packed": format!("{variant}.safetensors"),
        }});
        let index = folder.path().join("model.safetensors.index.json");
        std::fs::write(index, shards.to_string()).unwrap();
        edit_config(folder.path(), "config.json", |config| {
            config["quantization_config"] = quantization.clone();
        });
        (variant, folder)
    })
}

fn open(folder: &Path, options: &LoadOptions) -> Model {
    let files = CheckpointFiles::folder(folder).unwrap();
    vlm::load(&files, options, &mut |_, _| {}).unwrap()
}

/// Logits of the first two cases and the reference's, in pairs.
fn logit_pairs(variant: &str, model: &Model) -> Vec<(Tensor, Tensor)> {
    let (cases, answers) = reference("packed");
    let first = cases.iter().take(2);
    first
        .map(|case| {
            let logits = rows(&prompt_logits(model, case), &case.logit_rows);
            let expected = &answers[&format!("{variant}.{}.logits", case.name)];
            (logits, expected.clone())
        })
        .collect()
}

#[test]
fn packed_weights_give_the_reference_logits() {
    for (variant, folder) in variants() {
        for backend in [Backend::Slices, Backend::Tensors] {
            let mut options = options(None);
            options.backend = backend;
            for (logits, expected) in logit_pairs(&variant, &open(folder.path(), &options)) {
                let distance = furthest(&logits, &expected);
                assert!(distance < 1e-3, "{variant}: off by {distance}");
            }
        }
    }
}

#[test]
fn repacked_weights_are_cached_and_close() {
    for (variant, folder) in variants() {
        let cache = tempfile::tempdir().unwrap();
        for kind in [Quantization::Q8_0, Quantization::Q4K] {
            let mut options = options(Some(kind));
            options.cache = Some(cache.path().to_owned());
            let first = logit_pairs(&variant, &open(folder.path(), &options));
            let again = logit_pairs(&variant, &open(folder.path(), &options));
            for ((logits, expected), (cached, _)) in first.iter().zip(&again) {
                assert_eq!(furthest(logits, cached), 0.0, "{variant}");
                let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let cosine = cosine(&flat(logits), &flat(expected));
                let least = match kind {
                    Quantization::Q8_0 => 0.9995,
                    Quantization::Q4K => 0.99,
                };
                assert!(cosine >= least, "{variant} {}: {cosine}", kind.name());
            }
        }
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 2);
    }
}

#[test]
fn packed_weights_that_contradict_the_configuration_are_refused() {
    let (_, folder) = variants().next().unwrap();
    let refused = |edit: &dyn Fn(&mut serde_json::Value)| {
        edit_config(folder.path(), "config.json", edit);
        let files = CheckpointFiles::folder(folder.path()).unwrap();
        let error = vlm::load(&files, &options(None), &mut |_, _| {}).unwrap_err();
        error.cause
    };
    // The two formats pack a matrix into different shapes.
    let gptq = serde_json::json!({"quant_method": "gptq", "bits": 4});
    let cause = refused(&|config| config["quantization_config"] = gptq.clone());
    assert!(cause.contains("self_attn.q_proj.weight"), "{cause}");
    let cause = refused(&|config| {
        config
            .as_object_mut()
            .unwrap()
            .remove("quantization_config");
    });
    assert!(cause.contains("no quantization_config"), "{cause}");
}
