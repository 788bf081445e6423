//! Builds captions from records.

use super::options::Caption;
use crate::record::fixes::NO_TYPES;
use crate::record::{Field, Record, Vocabulary};
use crate::text::particles::{self, stem};
use crate::text::{clean_text, split_word, without, words};

/// Returns the captions of a record in the order of `kinds`, without duplicates.
pub(super) fn captions(record: &Record, kinds: &[Caption], vocabulary: &Vocabulary) -> Vec<String> {
    let labels = &record.labels;
    let mut captions: Vec<String> = Vec::new();
    for kind in kinds {
        let texts: Vec<String> = match kind {
            Caption::Label => vec![labels.label_ko().to_owned()],
            Caption::LabelWithoutName => without_name(record, vocabulary).into_iter().collect(),
            Caption::LabelEn => labels.values(Field::LabelEn).to_vec(),
            Caption::Tags => vec![labels.values(Field::TagsKo).join(", ")],
            Caption::Queries => labels.values(Field::QueryVariantsKo).to_vec(),
        };
        for text in texts {
            if !text.trim().is_empty() && !captions.contains(&text) {
                captions.push(text);
            }
        }
    }
    captions
}

/// Stands for an item of unknown type.
const ITEM: &str = "아이템";

/// Replaces the item's name in its label with the type of item, because a name is often not visible
/// in the image. `None` if the label is little more than the name.
fn without_name(record: &Record, vocabulary: &Vocabulary) -> Option<String> {
    let label = clean_text(record.labels.label_ko());
    let name = clean_text(&record.item_name);
    if name.is_empty() || !label.contains(&name) {
        return (!label.is_empty()).then_some(label);
    }
    let types = vocabulary.entries(Field::ItemTypeGuess).iter();
    let types = types.filter(|word| !NO_TYPES.contains(&word.word.as_str()));
    let kind = record.labels.text(Field::ItemTypeGuess);
    let kind = kind.and_then(|word| vocabulary.find_exact(Field::ItemTypeGuess, word));
    let kind = kind.filter(|kind| types.clone().any(|known| known == *kind));
    // For an unknown type, any word for a type will do.
    let nouns: Vec<&String> = match kind {
        Some(kind) => kind.ko.iter().collect(),
        None => types.flat_map(|kind| &kind.ko).collect(),
    };
    let ends_in =
        |word: &str, noun: &str| word == noun || noun.chars().count() > 1 && word.ends_with(noun);
    let is_noun = |word: &str| nouns.iter().any(|noun| ends_in(word, noun));
    let noun = match kind {
        Some(kind) => kind.ko.first(),
        // `팬더 말풍선 반지` is a ring.
        None => {
            let of_name = nouns.iter().filter(|noun| ends_in(&name, noun));
            of_name.max_by_key(|noun| noun.len()).copied()
        }
    };
    let noun = noun.map_or(ITEM, String::as_str);
    let names_kind = |word: &str| is_noun(word) || is_noun(stem(word));
    // In `name: description`, the description may be a complete caption.
    let described = label.strip_prefix(&name);
    let described = described.and_then(|rest| rest.trim_start().strip_prefix(':'));
    let label = match described {
        Some(text) if words(&without(text, &name)).any(names_kind) => text.to_owned(),
        _ => label,
    };
    let mut parts = label.split(&name);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for rest in parts {
        // The particle after the name now follows the type.
        let end = rest.find(|c: char| !('가'..='힣').contains(&c));
        let (particle, rest) = rest.split_at(end.unwrap_or(rest.len()));
        // Avoids `모자 모자`.
        let before = text.trim_end();
        if before.rsplit(' ').next().is_some_and(is_noun) {
            text.truncate(before.len());
        } else if particle.is_empty() && names_kind(split_word(rest.trim_start()).0) {
            text.push_str(rest);
            continue;
        } else {
            text.push_str(noun);
        }
        let last = text.rsplit(' ').next().unwrap_or_default().to_owned();
        text.push_str(particles::fitted(particle, &last));
        text.push_str(rest);
    }
    let text = clean_text(text.trim_matches([' ', ',', ':']));
    let is_only_noun = !text.contains(' ') && (text == noun || is_noun(&text));
    (!text.is_empty() && !is_only_noun).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::labels;
    use crate::record::{QualityFlags, SourceType};

    fn record(name: &str, label: &str) -> Record {
        Record {
            image_path: "a.png".to_owned(),
            image_sha256: None,
            source_type: SourceType::Cash,
            item_name: name.to_owned(),
            item_description: None,
            labels: labels(name).with(Field::LabelKo, [label]),
            quality_flags: QualityFlags::default(),
            model: "m".to_owned(),
            prompt_version: "v2".to_owned(),
            generated_at: "2026-01-10T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn the_item_type_replaces_the_name() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for (name, label, expected) in [
            (
                "달빛 별",
                "금색 단추가 달린 달빛 별",
                Some("금색 단추가 달린 모자"),
            ),
            (
                "달빛 별",
                "달빛 별은 금색 단추가 달렸다",
                Some("모자는 금색 단추가 달렸다"),
            ),
            ("달빛", "남색 달빛 모자", Some("남색 모자")),
            ("달빛", "남색 모자 달빛", Some("남색 모자")),
            ("달빛 별", "달빛 별", None),
            ("달빛", "검은 털모자 달빛", Some("검은 털모자")),
            ("달빛", "달빛 모자는 남색이다", Some("모자는 남색이다")),
            ("달빛", "달빛 모자, 금색 단추", Some("모자, 금색 단추")),
            (
                "달빛",
                "달빛: 금색 단추가 달린 모자",
                Some("금색 단추가 달린 모자"),
            ),
            ("달빛", "달빛: 금색 단추", Some("모자: 금색 단추")),
            (
                "달빛 별",
                "이름이 없는 남색 모자",
                Some("이름이 없는 남색 모자"),
            ),
        ] {
            let text = without_name(&record(name, label), &vocabulary);
            assert_eq!(text.as_deref(), expected, "{label}");
        }
    }

    #[test]
    fn an_item_of_unknown_type_is_called_an_item() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for (label, expected) in [
            ("황금색의 달빛", Some("황금색의 아이템")),
            ("달빛은 황금색이다", Some("아이템은 황금색이다")),
            ("황금색 반지 달빛", Some("황금색 반지")),
            ("달빛: 황금색 반지", Some("황금색 반지")),
            ("달빛", None),
        ] {
            for kind in [&[][..], &["unknown"]] {
                let mut record = record("달빛", label);
                record.labels.set(Field::ItemTypeGuess, kind.to_vec());
                let text = without_name(&record, &vocabulary);
                assert_eq!(text.as_deref(), expected, "{label}");
            }
        }
    }

    #[test]
    fn the_end_of_the_name_may_tell_the_type() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let mut record = record("팬더 반지", "검은색 팬더 반지");
        record.labels.set(Field::ItemTypeGuess, [""; 0]);
        let text = without_name(&record, &vocabulary);
        assert_eq!(text.as_deref(), Some("검은색 반지"));
    }

    #[test]
    fn captions_are_in_the_requested_order_without_duplicates() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let mut record = record("눈꽃 모자", "흰 리본이 달린 눈꽃 모자");
        let queries = ["흰 리본이 달린 눈꽃 모자", "겨울 모자"];
        record.labels.set(Field::QueryVariantsKo, queries);
        record.labels.set(Field::TagsKo, ["모자", "리본"]);
        let kinds = [
            Caption::Tags,
            Caption::Label,
            Caption::Queries,
            Caption::LabelEn,
        ];
        let expected = ["모자, 리본", "흰 리본이 달린 눈꽃 모자", "겨울 모자"];
        assert_eq!(captions(&record, &kinds, &vocabulary), expected);
    }
}
