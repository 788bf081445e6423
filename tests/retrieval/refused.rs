//! Unusable retrievers and adapters are refused with a clear message.

use super::{change, copy, fixtures, open, options, retriever};
use labeler_tui::embed::RetrieverOptions;
use labeler_tui::error::Error;
use serde_json::json;
use std::path::Path;

fn refusal(folder: &Path) -> String {
    message(open(&options(folder)).err().unwrap())
}

fn message(error: Error) -> String {
    format!("{} | {}", error.cause, error.hint.unwrap_or_default())
}

fn with_adapter(adapter: &Path) -> String {
    let options = RetrieverOptions {
        adapter: Some(adapter.to_owned()),
        ..options(&retriever("siglip"))
    };
    message(open(&options).err().unwrap())
}

#[test]
fn models_that_are_not_retrievers() {
    let label_model = refusal(&fixtures().join("flat"));
    assert!(label_model.contains("qwen2_vl"), "{label_model}");
    assert!(label_model.contains("google/siglip"), "{label_model}");
    let demo = refusal(Path::new("demo"));
    assert!(demo.contains("not a retriever"), "{demo}");
    let folder = copy("siglip");
    change(folder.path(), "config.json", |it| {
        it["model_type"] = json!("siglip2")
    });
    let naflex = refusal(folder.path());
    assert!(naflex.contains("naflex"), "{naflex}");
}

#[test]
fn missing_damaged_and_inconsistent_files() {
    let folder = copy("siglip");
    std::fs::remove_file(folder.path().join("spiece.model")).unwrap();
    assert!(refusal(folder.path()).contains("tokenizer.json"));
    let folder = copy("siglip");
    std::fs::write(folder.path().join("spiece.model"), b"junk").unwrap();
    assert!(refusal(folder.path()).contains("SentencePiece"));
    let folder = copy("siglip");
    change(folder.path(), "preprocessor_config.json", |it| {
        it["size"] = json!({"height": 224, "width": 224});
    });
    assert!(refusal(folder.path()).contains("224x224"));
    let folder = copy("siglip");
    change(folder.path(), "config.json", |it| {
        it["text_config"]["num_hidden_layers"] = json!(3);
    });
    assert!(refusal(folder.path()).contains("text_model.encoder.layers.2"));
}

#[test]
fn a_damaged_character_map_is_an_error_when_a_text_is_tokenized() {
    let folder = copy("siglip");
    let path = folder.path().join("spiece.model");
    let mut bytes = std::fs::read(&path).unwrap();
    // The trie of the map, which is not checked when the file is read.
    bytes[1660..60_000].fill(0x7f);
    std::fs::write(&path, bytes).unwrap();
    let retriever = open(&options(folder.path())).unwrap();
    let error = message(
        retriever
            .texts
            .embed(&["ﬁ Ａ 모자".to_owned()])
            .unwrap_err(),
    );
    assert!(error.contains("tokenizer is damaged"), "{error}");
}

#[test]
fn preprocessing_that_does_not_give_a_square() {
    for (key, value, expected) in [
        ("do_center_crop", json!(false), "aspect ratio"),
        ("crop_size", json!(30), "30x30"),
        ("size", json!({"height": 32, "width": 48}), "48x32"),
        ("size", json!({"longest_edge": 32}), "shortest_edge"),
    ] {
        let folder = copy("clip");
        change(folder.path(), "preprocessor_config.json", |it| {
            it[key] = value
        });
        let refusal = refusal(folder.path());
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn word_pieces_without_their_special_tokens() {
    let folder = copy("chinese_clip");
    std::fs::write(
        folder.path().join("vocab.txt"),
        "[PAD]\n[UNK]\n[CLS]\nred\n",
    )
    .unwrap();
    let refusal = refusal(folder.path());
    assert!(
        refusal.contains("vocab.txt") && refusal.contains("[SEP]"),
        "{refusal}"
    );
}

#[test]
fn unsupported_adapters() {
    for (key, value) in [
        ("use_dora", json!(true)),
        ("bias", json!("all")),
        ("peft_type", json!("IA3")),
        ("modules_to_save", json!(["head"])),
        ("alpha_pattern", json!({".*q_proj": 3})),
        ("init_lora_weights", json!("pissa_niter_4")),
    ] {
        let folder = copy("adapter");
        change(folder.path(), "adapter_config.json", |it| it[key] = value);
        let refusal = with_adapter(folder.path());
        assert!(refusal.contains(key), "{refusal}");
        assert!(refusal.contains("merge"), "{refusal}");
    }
}

#[test]
fn an_adapter_of_another_retriever() {
    let options = RetrieverOptions {
        adapter: Some(retriever("adapter")),
        ..options(&retriever("siglip2"))
    };
    let refusal = message(open(&options).err().unwrap());
    assert!(refusal.contains("another retriever"), "{refusal}");
    let none = with_adapter(&retriever("siglip"));
    assert!(none.contains("adapter_config.json"), "{none}");
}
