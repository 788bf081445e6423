//! An item, good labels for it, and how they were asked for: what tests of many rooms begin with.

use super::{AttemptSettings, Attributes, Background, Item, Labels, SourceType};

pub fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

pub fn item(name: &str) -> Item {
    Item {
        image_path: format!("icons/{name}.png"),
        file: None,
        claimed_sha256: None,
        source_type: SourceType::Cash,
        item_name: name.into(),
        item_description: None,
        item_part: Some("모자".into()),
        image_url: None,
        ocid: None,
        ranking: None,
    }
}

/// Labels of a red icon that no rule speaks against.
pub fn labels(name: &str) -> Labels {
    Labels {
        label_ko: format!("붉은 천에 흰 리본이 달린 {name}"),
        label_en: None,
        tags_ko: list(&["모자", "빨간색", "리본", "겨울", "눈꽃"]),
        attributes: Attributes {
            colors: list(&["red"]),
            theme: list(&["winter"]),
            material: list(&["fabric"]),
            vibe: list(&["cute"]),
            item_type_guess: Some("hat".into()),
        },
        query_variants_ko: list(&["빨간 모자", "리본 모자", "겨울 모자"]),
        model_reasons: vec![],
    }
}

pub fn settings() -> AttemptSettings {
    AttemptSettings {
        strict: false,
        upscale: 2,
        background: Background::White,
        with_image: true,
        with_metadata: true,
        hint: None,
        max_new_tokens: 384,
    }
}
