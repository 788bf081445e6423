//! Vectors match transformers.

use super::{change, copy, distance, fixtures, open, options, picture, retriever};
use crate::common::ended;
use labeler_tui::embed::RetrieverOptions;
use labeler_tui::vlm::Quantize;
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::Command;

#[derive(Deserialize)]
struct Reference {
    texts: Vec<Text>,
    images: Vec<Image>,
    logit_scale: f32,
    logit_bias: Option<f32>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    vector: Vec<f32>,
}

#[derive(Deserialize)]
struct Image {
    file: String,
    vector: Vec<f32>,
}

fn reference(name: &str) -> Reference {
    let text = std::fs::read_to_string(retriever(name).join("reference.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The largest difference between an element of any vector and the reference.
fn furthest(options: &RetrieverOptions, reference: &Reference) -> f32 {
    let retriever = open(options).unwrap();
    assert_eq!(retriever.logit_scale, reference.logit_scale);
    assert_eq!(retriever.logit_bias, reference.logit_bias);
    let texts: Vec<&str> = reference.texts.iter().map(|it| it.text.as_str()).collect();
    let pictures: Vec<_> = reference
        .images
        .iter()
        .map(|it| picture(&it.file))
        .collect();
    let mut most: f32 = 0.0;
    let texts = retriever.texts.embed(&texts).unwrap();
    for (ours, theirs) in texts.iter().zip(&reference.texts) {
        let far = distance(ours, &theirs.vector);
        println!("{far:e} {:?}", theirs.text);
        most = most.max(far);
    }
    let images = retriever.images.embed(&pictures).unwrap();
    for (ours, theirs) in images.iter().zip(&reference.images) {
        let far = distance(ours, &theirs.vector);
        println!("{far:e} {}", theirs.file);
        most = most.max(far);
    }
    assert_eq!(
        (texts.len(), images.len()),
        (reference.texts.len(), reference.images.len())
    );
    most
}

#[test]
fn vectors_match_transformers() {
    for name in ["siglip", "siglip2", "clip", "chinese_clip"] {
        let far = furthest(&options(&retriever(name)), &reference(name));
        assert!(far < 1e-5, "{name}: {far}");
    }
}

/// The first checkpoints have a wrong `eos_token_id`, for which the largest token is used instead.
#[test]
fn a_text_ends_at_the_configured_or_the_largest_token() {
    let folder = copy("clip");
    let with_end = |end: u32| {
        change(folder.path(), "config.json", |config| {
            config["text_config"]["eos_token_id"] = end.into();
        });
        furthest(&options(folder.path()), &reference("clip"))
    };
    assert!(with_end(765) < 1e-5);
    // A token that occurs in no text.
    assert!(with_end(3) > 0.1);
}

#[test]
fn the_older_config_dict_fields_take_precedence() {
    let folder = copy("clip");
    change(folder.path(), "config.json", |config| {
        for tower in ["text", "vision"] {
            config[format!("{tower}_config_dict")] = config[format!("{tower}_config")].take();
            config[format!("{tower}_config")] = serde_json::json!({"hidden_size": 64});
        }
    });
    assert!(furthest(&options(folder.path()), &reference("clip")) < 1e-5);
}

#[test]
fn a_merged_adapter_matches_peft() {
    let options = RetrieverOptions {
        adapter: Some(retriever("adapter")),
        ..options(&retriever("siglip"))
    };
    let far = furthest(&options, &reference("adapter"));
    assert!(far < 1e-5, "{far}");
    let without = open(&self::options(&retriever("siglip"))).unwrap();
    assert_ne!(open(&options).unwrap().digest, without.digest);
}

#[test]
fn the_first_alpha_pattern_that_matches_a_module_counts() {
    let vectors = |pattern: serde_json::Value| {
        let folder = copy("adapter");
        change(folder.path(), "adapter_config.json", |it| {
            it["alpha_pattern"] = pattern
        });
        let options = RetrieverOptions {
            adapter: Some(folder.path().to_owned()),
            ..options(&retriever("siglip"))
        };
        let retriever = open(&options).unwrap();
        retriever.texts.embed(&["모자".to_owned()]).unwrap()
    };
    let long_first = vectors(json!({"self_attn.q_proj": 60, "q_proj": 600}));
    let short_first = vectors(json!({"q_proj": 600, "self_attn.q_proj": 60}));
    assert_eq!(long_first, vectors(json!({"q_proj": 60})));
    assert_eq!(short_first, vectors(json!({"q_proj": 600})));
    assert_ne!(long_first, short_first);
}

#[test]
fn eight_bit_vectors_are_close() {
    let mut options = options(&retriever("siglip2"));
    options.model.quantize = Quantize::Q8_0;
    let far = furthest(&options, &reference("siglip2"));
    assert!(far > 1e-5 && far < 0.05, "{far}");
}

#[test]
fn a_vector_does_not_depend_on_its_batch() {
    let retriever = open(&options(&retriever("siglip"))).unwrap();
    let texts: Vec<String> = (0..100).map(|at| format!("빨간 모자 {at}")).collect();
    let together = retriever.texts.embed(&texts).unwrap();
    let alone = retriever.texts.embed(&texts[70..71]).unwrap();
    assert!(distance(&together[70], &alone[0]) < 1e-6);
    let pictures: Vec<_> = std::iter::repeat_n(picture("wide.png"), 300)
        .chain([picture("icon.png")])
        .collect();
    let together = retriever.images.embed(&pictures).unwrap();
    let alone = retriever.images.embed(&pictures[300..]).unwrap();
    assert!(distance(&together[300], &alone[0]) < 1e-6);
}

#[test]
fn the_command_prints_the_vectors_in_order() {
    let reference = reference("siglip");
    let images = fixtures().join("images");
    let mut command = Command::new(env!("CARGO_BIN_EXE_labeler-tui"));
    command.args(["embed", "--json", "--offline", "--retriever"]);
    command.arg(retriever("siglip"));
    for image in &reference.images {
        command.arg("--image").arg(images.join(&image.file));
    }
    for text in &reference.texts {
        command.arg("--text").arg(&text.text);
    }
    let ended = ended(&mut command);
    assert_eq!(ended.status, 0, "{}", ended.err);
    let object: Value = serde_json::from_str(&ended.out).unwrap();
    let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["images", "texts", "logit_scale", "logit_bias"]);
    let vector = |value: &Value| -> Vec<f32> { serde_json::from_value(value.clone()).unwrap() };
    for (at, image) in reference.images.iter().enumerate() {
        assert!(distance(&vector(&object["images"][at]), &image.vector) < 1e-5);
    }
    for (at, text) in reference.texts.iter().enumerate() {
        assert!(distance(&vector(&object["texts"][at]), &text.vector) < 1e-5);
    }
}
