use super::*;
use crate::record::Replacement;
use unicode_normalization::UnicodeNormalization;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| text.to_string()).collect()
}

fn labels() -> Labels {
    Labels::default()
        .with(Field::LabelKo, ["빨간 리본 모자"])
        .with(Field::LabelEn, ["A red hat."])
        .with(Field::TagsKo, ["모자", "리본", "빨강"])
        .with(Field::Colors, ["red"])
        .with(Field::ItemTypeGuess, ["hat"])
        .with(Field::QueryVariantsKo, ["리본 모자"])
}

fn facts<'a>(taken: Option<&'a Labels>, vocabulary: &'a Vocabulary) -> EditFacts<'a> {
    EditFacts {
        vocabulary,
        item_name: "빨간 모자",
        taken,
    }
}

fn after(change: Change) -> Result<Labels> {
    apply(
        &labels(),
        &change,
        &facts(None, &Vocabulary::builtin().unwrap()),
    )
}

#[test]
fn errors_name_fields_as_the_screen_does() {
    let set = |field, value: String| {
        let values = vec![value];
        after(Change::Set { field, values }).unwrap_err().cause
    };
    let empty = after(Change::Set {
        field: Field::LabelKo,
        values: Vec::new(),
    });
    assert_eq!(empty.unwrap_err().cause, "label cannot be empty");
    assert_eq!(
        set(Field::TagsKo, "모".repeat(101)),
        "a text in tags has at most 100 characters, this one has 101"
    );
    assert_eq!(
        set(Field::ItemTypeGuess, "푸드".to_owned()),
        "\"푸드\" is not in the type vocabulary"
    );
}

#[test]
fn set_values_are_normalized() {
    let set = |field, values: &[&str]| {
        after(Change::Set {
            field,
            values: texts(values),
        })
    };
    assert_eq!(
        set(Field::LabelKo, &[" 새\n이름 "]).unwrap().label_ko(),
        "새 이름"
    );
    assert_eq!(set(Field::LabelEn, &[]).unwrap().text(Field::LabelEn), None);
    let colors = set(Field::Colors, &["금색", "황금", "White"]).unwrap();
    assert_eq!(colors.values(Field::Colors), ["gold", "white"]);
    let kind = set(Field::ItemTypeGuess, &["반지"]).unwrap();
    assert_eq!(kind.text(Field::ItemTypeGuess), Some("ring"));
    assert!(set(Field::LabelKo, &["a", "b"]).is_err());
    assert!(set(Field::LabelKo, &[]).is_err());
    let many: Vec<String> = (0..16).map(|n| format!("태그 {n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(set(Field::TagsKo, &many).is_err());
    let once = set(Field::TagsKo, &["태그"; 16]).unwrap();
    assert_eq!(once.values(Field::TagsKo), ["태그"]);
}

#[test]
fn a_word_outside_the_vocabulary_is_rejected_with_suggestions() {
    let error = after(Change::Add {
        field: Field::Colors,
        value: "bluish".into(),
    })
    .unwrap_err();
    assert!(error.cause.contains("bluish"));
    assert!(error.hint.unwrap().contains("blue"));
}

#[test]
fn values_of_lists_are_added_renamed_and_removed() {
    let add = |value: &str| {
        after(Change::Add {
            field: Field::TagsKo,
            value: value.into(),
        })
    };
    assert_eq!(add("겨울").unwrap().values(Field::TagsKo).len(), 4);
    assert_eq!(add(" 모자").unwrap(), labels());
    assert_eq!(
        add("겨울, 모자,눈").unwrap().values(Field::TagsKo),
        ["모자", "리본", "빨강", "겨울", "눈"]
    );
    assert!(add("\u{7}").is_err());
    let renamed = after(Change::Rename {
        field: Field::TagsKo,
        from: "리본".into(),
        to: "나비 리본".into(),
    });
    assert_eq!(
        renamed.unwrap().values(Field::TagsKo),
        ["모자", "나비 리본", "빨강"]
    );
    let removed = after(Change::Remove {
        field: Field::Colors,
        value: "빨간색".into(),
    });
    assert!(removed.unwrap().values(Field::Colors).is_empty());
    assert!(
        after(Change::Remove {
            field: Field::LabelKo,
            value: "모자".into()
        })
        .is_err()
    );
}

#[test]
fn a_text_is_replaced_in_label_tags_and_queries() {
    let find: String = "리본".nfd().collect();
    let replaced = after(Change::Replace(Replacement::everywhere(find, "꽃"))).unwrap();
    assert_eq!(replaced.label_ko(), "빨간 꽃 모자");
    assert_eq!(replaced.values(Field::TagsKo), ["모자", "꽃", "빨강"]);
    assert_eq!(replaced.values(Field::QueryVariantsKo), ["꽃 모자"]);
    let emptied = Replacement::everywhere("빨간 리본 모자", "");
    let emptied = after(Change::Replace(emptied));
    assert!(emptied.is_err());
}

#[test]
fn versions_are_taken_entirely_or_by_field() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let other = Labels::default()
        .with(Field::LabelKo, ["파란 모자"])
        .with(Field::TagsKo, ["파랑"]);
    let take = |change| apply(&labels(), &change, &facts(Some(&other), &vocabulary)).unwrap();
    assert_eq!(take(Change::TakeVersion { version: 3 }), other);
    let tags = take(Change::TakeField {
        version: 3,
        field: Field::TagsKo,
    });
    assert_eq!(tags.values(Field::TagsKo), ["파랑"]);
    assert_eq!(tags.label_ko(), labels().label_ko());
    let missing = after(Change::TakeVersion { version: 3 }).unwrap_err();
    assert!(missing.cause.contains("version 3"));
    assert_eq!(after(Change::Commit).unwrap(), labels());
}

/// Labels of an earlier program, in which no field is normalized.
fn unnormalized() -> Labels {
    Labels::default()
        .with(Field::LabelKo, ["붉은  모자\u{200b} "])
        .with(Field::LabelEn, [" A  hat "])
        .with(Field::TagsKo, (0..20).map(|n| format!("#태그  {n}")))
        .with(Field::Colors, ["황금", "수상한 색", "gold", "황금"])
        .with(Field::Theme, ["판타지", "판타지"])
        .with(Field::Material, ["외계 물질"])
        .with(Field::Vibe, ["귀여운"])
        .with(Field::ItemTypeGuess, ["이상한 것"])
        .with(
            Field::QueryVariantsKo,
            (0..12).map(|n| format!(" 검색  {n}")),
        )
}

#[test]
fn other_values_of_the_list_stay_as_they_are() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let after = |change: Change| apply(&unnormalized(), &change, &facts(None, &vocabulary));
    let field = Field::Colors;
    let colors = |change: Change| after(change).unwrap().values(Field::Colors).to_vec();
    let add = |value: &str| Change::Add {
        field,
        value: value.into(),
    };
    assert_eq!(
        colors(add("빨간색")),
        ["황금", "수상한 색", "gold", "황금", "red"]
    );
    assert_eq!(colors(add("금색")), unnormalized().values(Field::Colors));
    let remove = |value: &str| Change::Remove {
        field,
        value: value.into(),
    };
    assert_eq!(colors(remove("황금")), ["수상한 색", "gold"]);
    assert_eq!(
        colors(remove("골드")),
        ["황금", "수상한 색", "황금"],
        "a synonym matches only if the word itself is absent"
    );
    let rename = Change::Rename {
        field,
        from: "수상한 색".into(),
        to: "금색, 흰색".into(),
    };
    assert_eq!(colors(rename), ["황금", "white", "gold", "황금"]);
    let rename = Change::Rename {
        field,
        from: "gold".into(),
        to: "금색".into(),
    };
    let error = after(rename).unwrap_err();
    assert_eq!(error.cause, "the vocabulary writes 금색 as gold");
    // Reordering values rewrites none of them.
    let moved = texts(&["수상한 색", "황금", "gold", "황금"]);
    assert_eq!(
        colors(Change::Set {
            field,
            values: moved.clone()
        }),
        moved
    );
    // A list that is too long may be edited but must not grow.
    let tags = |change: Change| after(change).map(|labels| labels.values(Field::TagsKo).len());
    let field = Field::TagsKo;
    let value = "새 태그".to_owned();
    assert!(tags(Change::Add { field, value }).is_err());
    let value = "#태그  3".to_owned();
    assert_eq!(tags(Change::Remove { field, value }).unwrap(), 19);
    let (from, to) = ("#태그  3".to_owned(), "하나, 둘".to_owned());
    assert!(tags(Change::Rename { field, from, to }).is_err());
    let replaced = after(Change::Replace(Replacement::everywhere("태그  3", "모자")));
    let mut expected = unnormalized();
    let mut tags = expected.values(Field::TagsKo).to_vec();
    tags[3] = "모자".into();
    expected.set(Field::TagsKo, tags);
    assert_eq!(replaced.unwrap(), expected);
}

#[test]
fn a_text_that_is_too_long_is_rejected_not_truncated() {
    let long = "가".repeat(101);
    let tag = Change::Add {
        field: Field::TagsKo,
        value: long,
    };
    assert!(after(tag).unwrap_err().cause.contains("at most 100"));
    let label = Change::Set {
        field: Field::LabelKo,
        values: vec!["가 ".repeat(1000)],
    };
    assert!(after(label).is_err());
}

#[test]
fn words_are_translated_and_dropped_only_on_request() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let canonicalize = |drop_unknown| {
        let change = Change::Canonicalize { drop_unknown };
        apply(&unnormalized(), &change, &facts(None, &vocabulary)).unwrap()
    };
    let mut expected = unnormalized();
    expected.set(Field::Colors, ["수상한 색", "gold"]);
    expected.set(Field::Theme, ["fantasy"]);
    expected.set(Field::Vibe, ["cute"]);
    assert_eq!(canonicalize(false), expected);
    expected.set(Field::Colors, ["gold"]);
    expected.set(Field::Material, texts(&[]));
    expected.set(Field::ItemTypeGuess, texts(&[]));
    assert_eq!(canonicalize(true), expected);
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[가나ㄱa,/# \u{200b}\u{a0}\u{301}]{0,6}",
            prop::sample::select(vec![
                "황금",
                "gold",
                "Gold",
                "금색, 흰색",
                "판타지",
                "cute",
                "모자",
                "모자/모자",
                "외계",
                "#태그",
                "붉은  모자",
            ])
            .prop_map(String::from),
        ]
    }

    fn many() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(text(), 0..18)
    }

    prop_compose! {
        fn labels()(
            values in prop::collection::vec(many(), Field::ALL.len())
        ) -> Labels {
            let fields = Field::ALL.iter().zip(values);
            fields.fold(Labels::default(), |labels, (field, values)| {
                labels.with(*field, values)
            })
        }
    }

    fn field() -> impl Strategy<Value = Field> {
        prop::sample::select(Field::ALL)
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            (field(), many()).prop_map(|(field, values)| Change::Set { field, values }),
            (field(), text()).prop_map(|(field, value)| Change::Add { field, value }),
            (field(), text()).prop_map(|(field, value)| Change::Remove { field, value }),
            (field(), text(), text()).prop_map(|(field, from, to)| Change::Rename {
                field,
                from,
                to
            }),
            (text(), text())
                .prop_map(|(find, with)| Change::Replace(Replacement::everywhere(find, with))),
            any::<bool>().prop_map(|drop_unknown| Change::Canonicalize { drop_unknown }),
            field().prop_map(|field| Change::TakeField { version: 1, field }),
            Just(Change::TakeVersion { version: 1 }),
            Just(Change::SetNote { note: None }),
            Just(Change::Accept),
            Just(Change::Reopen),
            Just(Change::Commit),
        ]
    }

    fn affected_fields(change: &Change) -> &[Field] {
        match change {
            Change::Set { field, .. }
            | Change::Add { field, .. }
            | Change::Remove { field, .. }
            | Change::Rename { field, .. }
            | Change::Synonym { field, .. }
            | Change::TakeField { field, .. } => std::slice::from_ref(field),
            Change::Replace(_) => &[
                Field::LabelKo,
                Field::LabelEn,
                Field::TagsKo,
                Field::QueryVariantsKo,
            ],
            Change::Canonicalize { .. } => &[
                Field::Colors,
                Field::Theme,
                Field::Material,
                Field::Vibe,
                Field::ItemTypeGuess,
            ],
            Change::TakeVersion { .. } => Field::ALL,
            _ => &[],
        }
    }

    fn is_subsequence(part: &[String], whole: &[String]) -> bool {
        let mut whole = whole.iter();
        part.iter().all(|value| whole.any(|have| have == value))
    }

    proptest! {
        #[test]
        fn a_change_leaves_all_other_fields_unchanged(
            before in labels(), change in change(), taken in labels()
        ) {
            let vocabulary = Vocabulary::builtin().unwrap();
            let Ok(after) = apply(&before, &change, &facts(Some(&taken), &vocabulary)) else {
                return Ok(());
            };
            let differing = before.differing(&after);
            let affected = affected_fields(&change);
            prop_assert!(differing.iter().all(|field| affected.contains(field)), "{differing:?}");
            prop_assert_eq!(&after.model_reasons, &before.model_reasons);
            for field in Field::ALL.iter().copied().filter(|field| field.is_list()) {
                let (was, is) = (before.values(field), after.values(field));
                match &change {
                    Change::Add { .. } => prop_assert!(is.starts_with(was)),
                    Change::Remove { .. } => prop_assert!(is_subsequence(is, was)),
                    Change::Rename { from, .. } if was.contains(from) => {
                        let others: Vec<String> =
                            was.iter().filter(|value| *value != from).cloned().collect();
                        prop_assert!(is_subsequence(&others, is));
                    }
                    Change::Replace(Replacement { find, .. }) => {
                        let find: String = find.nfc().collect();
                        let holds = |value: &String| value.nfc().collect::<String>().contains(&find);
                        let others: Vec<String> =
                            was.iter().filter(|value| !holds(value)).cloned().collect();
                        prop_assert!(is_subsequence(&others, is));
                    }
                    // Reordering values rewrites none of them.
                    Change::Set { field: set, values } if *set == field => {
                        let mut sorted = (values.clone(), was.to_vec());
                        sorted.0.sort();
                        sorted.1.sort();
                        prop_assert!(sorted.0 != sorted.1 || is == values.as_slice());
                    }
                    _ => {}
                }
            }
        }

        #[test]
        fn the_preview_counts_match_the_changes(
            all in prop::collection::vec(labels(), 1..4), drop_unknown in any::<bool>()
        ) {
            let vocabulary = Vocabulary::builtin().unwrap();
            let drafts = all.iter().map(|labels| Ok::<_, ()>(Some(labels.clone())));
            let preview = crate::record::VocabularyPreview::count(drafts, &vocabulary).unwrap();
            let change = Change::Canonicalize { drop_unknown };
            let mut changed = 0;
            for labels in &all {
                match apply(labels, &change, &facts(None, &vocabulary)) {
                    Ok(after) => changed += usize::from(after != *labels),
                    Err(_) => return Ok(()),
                }
            }
            let counted = match drop_unknown {
                false => preview.translated,
                true => preview.translated.max(preview.with_unknown),
            };
            prop_assert!(changed >= counted, "{changed} {preview:?}");
            prop_assert!(changed <= preview.translated + preview.with_unknown);
            prop_assert!(drop_unknown || changed == preview.translated);
        }
    }
}
