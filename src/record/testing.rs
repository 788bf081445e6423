//! Test fixtures: an item, valid labels for it, and attempt settings.

use super::{
    AttemptSettings, Background, Field, GroupId, GroupState, GroupSummary, Item, Labels,
    SourceType, Vocabulary,
};
use std::sync::{Arc, LazyLock};

/// The built-in vocabulary, shared by all tests.
pub static VOCABULARY: LazyLock<Arc<Vocabulary>> =
    LazyLock::new(|| Arc::new(Vocabulary::builtin().unwrap()));

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

/// Labels for a red icon in which the rules find no reason.
pub fn labels(name: &str) -> Labels {
    Labels::default()
        .with(Field::LabelKo, [format!("붉은 천에 흰 리본이 달린 {name}")])
        .with(Field::TagsKo, ["모자", "빨간색", "리본", "겨울", "눈꽃"])
        .with(Field::Colors, ["red"])
        .with(Field::Theme, ["winter"])
        .with(Field::Material, ["fabric"])
        .with(Field::Vibe, ["cute"])
        .with(Field::ItemTypeGuess, ["hat"])
        .with(
            Field::QueryVariantsKo,
            ["빨간 모자", "리본 모자", "겨울 모자"],
        )
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
        examples: 0,
    }
}

pub fn summary(id: i64, name: &str, state: GroupState) -> GroupSummary {
    GroupSummary {
        id: GroupId(id),
        order: id as u64,
        image_path: format!("icons/{id}.png"),
        name: name.to_owned(),
        source_type: SourceType::EquipmentShape,
        part: Some("모자".to_owned()),
        family: None,
        state,
        has_record: state == GroupState::Committed,
        offered: false,
        reasons: Vec::new(),
        signals: Vec::new(),
        unexplained: 0,
        uncertainty: 0.0,
        labels: Labels::default(),
        note: None,
        judged: None,
        changed_at: id,
    }
}
