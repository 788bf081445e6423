//! Tests of each fix: labels in, labels out.

mod safe;

use super::{fix, offered, safe_fixes};
use crate::record::testing::{VOCABULARY, labels};
use crate::record::{
    ColorHistogram, Field, FixKind, Labels, Reason, RecordContext, check, to_oklab,
};
use crate::text::clean_text;
use std::sync::LazyLock;

fn icon(pixels: &[([u8; 3], f32)]) -> ColorHistogram {
    let pixels = pixels.iter();
    ColorHistogram {
        opaque: 400,
        bins: pixels
            .map(|(rgb, share)| (to_oklab(*rgb), *share))
            .collect(),
        dark_core: Vec::new(),
        translucent: 0.0,
    }
}

const RED: [u8; 3] = [200, 30, 35];
const WHITE: [u8; 3] = [250, 250, 250];
const BLUE: [u8; 3] = [47, 111, 223];

static RED_AND_WHITE: LazyLock<ColorHistogram> =
    LazyLock::new(|| icon(&[(RED, 0.8), (WHITE, 0.2)]));

/// The context of a hat whose icon is red with some white.
fn hat(name: &str) -> RecordContext<'_> {
    RecordContext {
        part: Some("모자"),
        colors: Some(&RED_AND_WHITE),
        ..RecordContext::new(&VOCABULARY, name)
    }
}

/// The label after fixing a missing name.
fn named(label: &str, name: &str) -> Option<String> {
    let labels = labels(name).with(Field::LabelKo, [label]);
    let kinds = [FixKind::CorrectName, FixKind::InsertName];
    let mut fixed = kinds
        .into_iter()
        .filter_map(|kind| fix(Reason::ItemNameMissing, kind, &labels, &hat(name)));
    Some(fixed.next()?.label_ko().to_owned())
}

#[test]
fn an_outdated_name_is_replaced_by_the_current_one() {
    let renamed = RecordContext {
        current_name: "설산 모자",
        ..hat("눈꽃 모자")
    };
    let before = labels("눈꽃 모자");
    let after = fix(Reason::NameMismatch, FixKind::UpdateName, &before, &renamed).unwrap();
    assert_eq!(after.label_ko(), "붉은 천에 흰 리본이 달린 설산 모자");
    let current = hat("눈꽃 모자");
    assert_eq!(
        fix(Reason::NameMismatch, FixKind::UpdateName, &before, &current),
        None
    );
}

#[test]
fn the_name_is_inserted_where_a_person_would_put_it() {
    for (label, name, after) in [
        // The name implies the type and replaces it.
        ("붉은 리본 모자", "눈꽃 모자", "붉은 리본 눈꽃 모자"),
        (
            "붉은 리본이 달린 털모자",
            "눈꽃 모자",
            "붉은 리본이 달린 눈꽃 모자",
        ),
        // The name does not imply the type and goes before it.
        (
            "별이 빛나는 모자",
            "별빛 걸음",
            "별이 빛나는 별빛 걸음 모자",
        ),
        // Words of the name are not repeated.
        (
            "빨간색의 기계 장갑",
            "튼튼한 기계 장갑",
            "빨간색의 튼튼한 기계 장갑",
        ),
        (
            "빨간 날개 무늬의 매직윙",
            "글로리 매직윙",
            "빨간 날개 무늬의 글로리 매직윙",
        ),
        // The last word is not an item type, so it becomes the item's shape.
        (
            "빨간색의 빛나는 번개",
            "데스티니 라즐리",
            "빨간색의 빛나는 번개 모양의 데스티니 라즐리",
        ),
        (
            "빨간 별 무늬",
            "데스티니 라즐리",
            "빨간 별 무늬의 데스티니 라즐리",
        ),
        // Descriptions after a comma stay there.
        (
            "빨간색 크로스백, 고양이 무늬",
            "블랙캣 크로스백",
            "빨간색 블랙캣 크로스백, 고양이 무늬",
        ),
        // The name becomes the subject of a full sentence.
        (
            "하얀 리본이 달린 모자입니다.",
            "눈꽃 모자",
            "눈꽃 모자는 하얀 리본이 달린 모자입니다.",
        ),
        (
            "빨간 훈장이 걸려 있다",
            "눈꽃 훈장",
            "눈꽃 훈장은 빨간 훈장이 걸려 있다",
        ),
        // The name is spaced differently or partly contained in another word.
        ("빨간 캠핑 가방", "토끼곰 캠핑가방", "빨간 토끼곰 캠핑가방"),
        (
            "빛나는 빨간 별 모자",
            "별의 영광",
            "빛나는 빨간 별의 영광 모자",
        ),
        (
            "빨간 보석의 글로리온 링",
            "글로리온 링 : 가디언",
            "빨간 보석의 글로리온 링 : 가디언",
        ),
        // The name is misspelled.
        (
            "빨간 반지, 마력이 깃든 말풍선이 있는 반지",
            "마력이 깃든 말풍선 반지",
            "빨간 반지, 마력이 깃든 말풍선 반지",
        ),
        (
            "빨간 아케인 셰이드 메이지헷",
            "아케인셰이드 메이지햇",
            "빨간 아케인셰이드 메이지햇",
        ),
        (
            "레인저후드를 쓴 빨간 인형",
            "레인져후드",
            "레인져후드를 쓴 빨간 인형",
        ),
    ] {
        assert_eq!(named(label, name).as_deref(), Some(after));
    }
    // The name is not missing.
    assert_eq!(named("붉은 리본이 달린 눈꽃 모자", "눈꽃 모자"), None);
    // The result would be the name alone.
    assert_eq!(named("모자", "눈꽃 모자"), None);
}

#[test]
fn wrong_colors_are_replaced_with_those_of_the_icon() {
    let wrong = labels("눈꽃 모자")
        .with(Field::LabelKo, ["파란색과 흰색의 눈꽃 모자"])
        .with(Field::TagsKo, ["모자", "블루", "리본", "겨울", "눈꽃"])
        .with(Field::Colors, ["blue", "white"])
        .with(
            Field::QueryVariantsKo,
            ["파란 모자", "리본 모자", "겨울 모자"],
        );
    let context = hat("눈꽃 모자");
    let fixed = fix(
        Reason::ColorMismatch,
        FixKind::ReplaceColors,
        &wrong,
        &context,
    )
    .unwrap();
    assert_eq!(fixed.label_ko(), "빨간색과 흰색의 눈꽃 모자");
    assert_eq!(fixed.values(Field::TagsKo)[1], "레드");
    assert_eq!(fixed.values(Field::Colors), ["red", "white"]);
    assert_eq!(fixed.values(Field::QueryVariantsKo)[0], "빨간 모자");

    let removed = fix(
        Reason::ColorMismatch,
        FixKind::RemoveColors,
        &wrong,
        &context,
    );
    let removed = removed.unwrap();
    assert_eq!(removed.label_ko(), "흰색의 눈꽃 모자");
    assert_eq!(removed.values(Field::Colors), ["white"]);
}

#[test]
fn a_color_of_the_name_is_never_touched() {
    let name = "블랙 클로버 모자";
    let wrong = labels(name).with(Field::LabelKo, ["검은 리본의 블랙 클로버 모자"]);
    let context = hat(name);
    let fixed = fix(
        Reason::ColorMismatch,
        FixKind::RemoveColors,
        &wrong,
        &context,
    )
    .unwrap();
    assert_eq!(fixed.label_ko(), "리본의 블랙 클로버 모자");
}

#[test]
fn the_main_color_is_named() {
    let pale = labels("눈꽃 모자")
        .with(Field::LabelKo, ["흰색과 하늘색의 리본이 달린 눈꽃 모자"])
        .with(Field::TagsKo, ["모자", "흰색", "리본", "겨울", "눈꽃"])
        .with(Field::Colors, ["white"])
        .with(
            Field::QueryVariantsKo,
            ["흰 모자", "리본 장식", "겨울 방한"],
        );
    let colors = icon(&[(RED, 0.8), (WHITE, 0.12), ([124, 200, 242], 0.08)]);
    let context = RecordContext {
        colors: Some(&colors),
        ..hat("눈꽃 모자")
    };
    let reason = Reason::MainColorMissing;
    let named = fix(reason, FixKind::NameMainColor, &pale, &context).unwrap();
    assert_eq!(
        named.label_ko(),
        "빨간색과 흰색과 하늘색의 리본이 달린 눈꽃 모자"
    );
    assert_eq!(named.values(Field::Colors), ["red", "white"]);
    let listed = fix(reason, FixKind::ListMainColor, &pale, &context).unwrap();
    assert_eq!(listed.label_ko(), pale.label_ko());
    assert_eq!(listed.values(Field::Colors), ["red", "white"]);
}

#[test]
fn attributes_are_filled_from_the_part_the_pixels_and_the_words() {
    let none: [&str; 0] = [];
    let empty = labels("눈꽃 모자")
        .with(Field::LabelKo, ["귀여운 가죽 리본이 달린 눈꽃 모자"])
        .with(Field::Colors, none)
        .with(Field::Theme, none)
        .with(Field::Material, none)
        .with(Field::Vibe, none)
        .with(Field::ItemTypeGuess, none);
    let reason = Reason::AttributesMissing;
    let filled = fix(reason, FixKind::FillAttributes, &empty, &hat("눈꽃 모자")).unwrap();
    assert_eq!(filled.values(Field::ItemTypeGuess), ["hat"]);
    assert_eq!(filled.values(Field::Colors), ["red", "white"]);
    assert_eq!(filled.values(Field::Material), ["leather"]);
    assert_eq!(filled.values(Field::Vibe), ["cute"]);
    // Only the type is known, which does not clear the reason.
    let bare = empty
        .with(Field::LabelKo, ["붉은 이름 모자"])
        .with(Field::TagsKo, ["모자", "리본", "챙", "빨간색", "물건"])
        .with(
            Field::QueryVariantsKo,
            ["빨간 모자", "리본 모자", "챙 모자"],
        );
    assert_eq!(
        fix(reason, FixKind::FillAttributes, &bare, &hat("이름 모자")),
        None
    );
    let typed = fix(reason, FixKind::SetType, &bare, &hat("이름 모자")).unwrap();
    assert_eq!(typed.values(Field::ItemTypeGuess), ["hat"]);
}

#[test]
fn the_part_or_the_name_gives_the_type() {
    let none: [&str; 0] = [];
    for (part, name, kind) in [
        ("한벌옷/상의", "샘의 꽃잎", Some("overall")),
        ("반지/반지4", "팬더 명찰", Some("ring")),
        ("스태프/무기", "제네시스", Some("staff")),
        // The name is more specific than the part.
        ("무기", "모험가 스태프", Some("staff")),
        ("무기", "이슬 초롱", Some("weapon")),
        ("기타4", "이슬 초롱", None),
    ] {
        let untyped = labels(name).with(Field::ItemTypeGuess, none);
        let context = RecordContext {
            part: Some(part),
            ..hat(name)
        };
        let typed = fix(
            Reason::AttributesMissing,
            FixKind::SetType,
            &untyped,
            &context,
        );
        let typed = typed
            .as_ref()
            .and_then(|typed| typed.text(Field::ItemTypeGuess));
        assert_eq!(typed, kind, "{part} {name}");
    }
}

#[test]
fn tags_and_queries_follow_from_the_attributes() {
    let few = labels("눈꽃 모자")
        .with(Field::TagsKo, ["리본", "눈꽃"])
        .with(Field::QueryVariantsKo, ["리본 모자"]);
    let context = hat("눈꽃 모자");
    let tagged = fix(Reason::FewTags, FixKind::AddTags, &few, &context).unwrap();
    assert_eq!(
        tagged.values(Field::TagsKo),
        ["리본", "눈꽃", "모자", "빨간색", "겨울"]
    );
    let queried = fix(Reason::FewQueries, FixKind::AddQueries, &few, &context).unwrap();
    assert_eq!(
        queried.values(Field::QueryVariantsKo),
        ["리본 모자", "빨간 모자", "겨울 모자"]
    );
}

#[test]
fn words_of_a_name_that_depend_on_the_next_one_become_no_tags_and_no_queries() {
    for (name, keyword, dependent) in [
        ("별의 기도 반지", "기도", "별의"),
        ("마력이 깃든 보물 모자", "보물", "깃든"),
        ("쏟아지는 별빛 모자", "별빛", "쏟아지는"),
    ] {
        let few = labels(name)
            .with(Field::TagsKo, ["보석"])
            .with(Field::QueryVariantsKo, ["빨간 모자"]);
        let context = hat(name);
        let tagged = fix(Reason::FewTags, FixKind::AddTags, &few, &context).unwrap();
        let tags = tagged.values(Field::TagsKo);
        assert!(tags.contains(&keyword.to_owned()), "{tags:?}");
        assert!(!tags.contains(&dependent.to_owned()), "{tags:?}");
        let queried = fix(Reason::FewQueries, FixKind::AddQueries, &few, &context).unwrap();
        let queries = queried.values(Field::QueryVariantsKo);
        let depends = queries.iter().any(|query| query.starts_with(dependent));
        assert!(!depends, "{queries:?}");
    }
}

#[test]
fn repetitions_are_removed() {
    let twice = labels("눈꽃 모자").with(
        Field::LabelKo,
        ["붉은 비단의 눈꽃 모자, 흰 방울, 붉은 비단"],
    );
    let twice = twice.with(
        Field::QueryVariantsKo,
        ["빨간 모자", "모자 빨간", "리본 모자", "겨울 장식"],
    );
    let fixed = fix(
        Reason::Repetition,
        FixKind::DropRepetition,
        &twice,
        &hat("눈꽃 모자"),
    )
    .unwrap();
    assert_eq!(fixed.label_ko(), "붉은 비단의 눈꽃 모자, 흰 방울");
    assert_eq!(
        fixed.values(Field::QueryVariantsKo),
        ["빨간 모자", "리본 모자", "겨울 장식"]
    );
}

/// The label after removing repetitions.
fn without_repetition(label: &str, name: &str) -> Option<String> {
    let labels = labels(name).with(Field::LabelKo, [label]);
    let fixed = fix(
        Reason::Repetition,
        FixKind::DropRepetition,
        &labels,
        &hat(name),
    );
    Some(fixed?.label_ko().to_owned())
}

#[test]
fn types_and_colors_in_a_label_are_not_repeated() {
    for (name, label, after) in [
        (
            "눈꽃 왕국",
            "눈꽃 왕국 모자, 빨간색과 흰색의 리본이 달린 모자",
            "빨간색과 흰색의 리본이 달린 눈꽃 왕국 모자",
        ),
        (
            "눈꽃 왕국",
            "눈꽃 왕국 모자: 흰 방울이 달린 눈꽃 모자, 둥근 모양",
            "흰 방울이 달린 눈꽃 왕국 모자, 둥근 모양",
        ),
        (
            "눈꽃 모자",
            "빨간색과 빨간색의 리본 눈꽃 모자",
            "빨간색의 리본 눈꽃 모자",
        ),
        (
            "눈꽃 모자",
            "빨간색 글씨와 리본이 있는 빨간색 눈꽃 모자",
            "빨간색 글씨와 리본이 있는 눈꽃 모자",
        ),
    ] {
        assert_eq!(
            without_repetition(label, name).as_deref(),
            Some(after),
            "{label}"
        );
    }
}

#[test]
fn duplicate_queries_are_replaced_with_others() {
    let twins = labels("눈꽃 모자").with(
        Field::QueryVariantsKo,
        ["빨간 모자", "모자 빨간", "빨간 모자", "눈꽃 모자"],
    );
    let context = hat("눈꽃 모자");
    let kind = FixKind::DropRepetition;
    let fixed = fix(Reason::Repetition, kind, &twins, &context).unwrap();
    let queries = fixed.values(Field::QueryVariantsKo);
    assert_eq!(queries.len(), 3);
    assert_eq!(queries[0], "빨간 모자");
    assert_eq!(check(&fixed, &context), []);
}

#[test]
fn a_label_is_written_from_known_hat() {
    let alone = labels("눈꽃 모자").with(Field::LabelKo, ["눈꽃 모자"]);
    let described = fix(
        Reason::LabelEqualsItemName,
        FixKind::Describe,
        &alone,
        &hat("눈꽃 모자"),
    );
    assert_eq!(
        described.unwrap().label_ko(),
        "빨간색과 흰색의 천 눈꽃 모자"
    );
    // A color in the name is trusted.
    let red = labels("빨간 별").with(Field::LabelKo, ["빨간 별 모자"]);
    let described = fix(
        Reason::NothingVisible,
        FixKind::Describe,
        &red,
        &hat("빨간 별"),
    );
    assert_eq!(described.unwrap().label_ko(), "천 빨간 별 모자");
}

#[test]
fn foreign_words_are_translated_or_removed() {
    let mixed = labels("눈꽃 모자")
        .with(Field::LabelKo, ["緑色 방울이 달린 hat 눈꽃 모자"])
        .with(
            Field::TagsKo,
            ["모자", "red", "리본", "겨울", "눈꽃", "可爱"],
        );
    let context = hat("눈꽃 모자");
    let reason = Reason::MixedScript;
    assert_eq!(fix(reason, FixKind::TranslateWords, &mixed, &context), None);
    let dropped = fix(reason, FixKind::DropWords, &mixed, &context).unwrap();
    assert_eq!(dropped.label_ko(), "방울이 달린 눈꽃 모자");
    assert_eq!(
        dropped.values(Field::TagsKo),
        ["모자", "리본", "겨울", "눈꽃"]
    );
    let only = mixed.with(Field::TagsKo, ["可爱"]);
    assert_eq!(fix(reason, FixKind::DropWords, &only, &context), None);
    let english =
        labels("눈꽃 모자").with(Field::TagsKo, ["모자", "red", "리본", "leather", "눈꽃"]);
    let translated = fix(reason, FixKind::TranslateWords, &english, &context).unwrap();
    assert_eq!(
        translated.values(Field::TagsKo),
        ["모자", "빨간색", "리본", "가죽", "눈꽃"]
    );
}

#[test]
fn a_list_becomes_a_sentence() {
    for (label, after) in [
        (
            "눈꽃 모자: 흰색, 빨간색, 반짝이는",
            "흰색과 빨간색의 반짝이는 눈꽃 모자",
        ),
        (
            "눈꽃 모자, 흰색/빨간색, 리본 장식, 모자",
            "흰색과 빨간색의 리본 장식 눈꽃 모자",
        ),
    ] {
        let list = labels("눈꽃 모자").with(Field::LabelKo, [label]);
        let joined = fix(
            Reason::CommaList,
            FixKind::JoinList,
            &list,
            &hat("눈꽃 모자"),
        );
        assert_eq!(joined.unwrap().label_ko(), after);
    }
}

#[test]
fn equal_labels_are_distinguished_by_an_unnamed_color() {
    let twin = labels("눈꽃 모자").with(Field::LabelKo, ["리본이 달린 눈꽃 모자"]);
    let colors = icon(&[(BLUE, 1.0)]);
    let context = RecordContext {
        is_duplicate: true,
        colors: Some(&colors),
        ..hat("눈꽃 모자")
    };
    let distinct = fix(Reason::DuplicateLabel, FixKind::TellApart, &twin, &context).unwrap();
    assert_eq!(distinct.label_ko(), "리본이 달린 파란 눈꽃 모자");
    assert!(distinct.values(Field::Colors).contains(&"blue".to_owned()));
}
