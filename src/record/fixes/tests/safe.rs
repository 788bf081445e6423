//! Tests of the safe fixes, and of invariants of all fixes.

use super::*;

fn fixed_safely(labels: &Labels, context: &RecordContext) -> Labels {
    let done = safe_fixes(labels, context);
    done.last().map_or(labels, |last| &last.after).clone()
}

#[test]
fn the_safe_fixes_are_idempotent() {
    let mut changed = 0;
    for (before, context) in generated() {
        let renamed = RecordContext {
            current_name: "설산 모자",
            ..context
        };
        let under = |labels: &Labels| renamed.under(renamed.names().of_text(labels));
        let after = fixed_safely(&before, &under(&before));
        changed += usize::from(after != before);
        let context = RecordContext {
            before_fixes: Some((&before, under(&before).item_name)),
            is_duplicate: context.is_duplicate && after.label_ko() == before.label_ko(),
            ..under(&after)
        };
        assert_eq!(safe_fixes(&after, &context), [], "{before:?}");
    }
    assert!(changed > 100, "{changed}");
}

#[test]
fn the_safe_fixes_leave_records_that_need_review() {
    let none: [&str; 0] = [];
    let bare = labels("눈꽃 모자")
        .with(Field::LabelKo, ["붉은 리본 모자"])
        .with(Field::TagsKo, ["리본"])
        .with(Field::Colors, none)
        .with(Field::ItemTypeGuess, none);
    let context = hat("눈꽃 모자");
    let fixed = fixed_safely(&bare, &context);
    assert_eq!(fixed.label_ko(), "붉은 리본 눈꽃 모자");
    assert_eq!(check(&fixed, &context), []);
    // A label that names no color was not written from the icon.
    let colorless = bare
        .clone()
        .with(Field::LabelKo, ["하트 무늬가 있는 모자"])
        .with(
            Field::QueryVariantsKo,
            ["리본 모자", "겨울 선물", "눈 오는 날"],
        );
    let fixed = fixed_safely(&colorless, &context);
    assert_eq!(fixed.label_ko(), "하트 무늬가 있는 눈꽃 모자");
    assert_eq!(check(&fixed, &context), [Reason::AttributesMissing]);
    // A label that calls a hat a shoe has the wrong type.
    let wrong_type = bare.with(Field::LabelKo, ["붉은 리본 신발"]);
    let fixed = fixed_safely(&wrong_type, &context);
    assert_eq!(fixed.label_ko(), "붉은 리본 신발");
}

/// The label after the safe fixes for a hat with this label and these colors, and the reasons left.
fn left(name: &str, label: &str, pixels: &[([u8; 3], f32)]) -> (String, Vec<Reason>) {
    let colors = icon(pixels);
    let context = RecordContext {
        colors: Some(&colors),
        ..hat(name)
    };
    let fixed = fixed_safely(&without_colors(name, label), &context);
    (fixed.label_ko().to_owned(), check(&fixed, &context))
}

fn without_colors(name: &str, label: &str) -> Labels {
    let none: [&str; 0] = [];
    labels(name)
        .with(Field::LabelKo, [label])
        .with(Field::TagsKo, ["리본", "겨울", "방울", "모자", "눈"])
        .with(
            Field::QueryVariantsKo,
            ["리본 모자", "겨울 선물", "눈 오는 날"],
        )
        .with(Field::Colors, none)
}

#[test]
fn a_text_that_may_be_invented_is_replaced_by_what_is_confirmed() {
    let gold: [u8; 3] = [212, 175, 55];
    let much = [(RED, 0.6), (WHITE, 0.25), (gold, 0.15)];
    let little = [(RED, 0.7), (WHITE, 0.26), (gold, 0.04)];
    let (name, clean, confirmed) = ("눈꽃 모자", Vec::new(), "빨간 눈꽃 모자".to_owned());
    // A color with hardly any pixels.
    let golden = "붉은 천에 금색이 섞인 눈꽃 모자";
    assert_eq!(
        left(name, golden, &much),
        (golden.to_owned(), clean.clone())
    );
    assert_eq!(
        left(name, golden, &little),
        (confirmed.clone(), clean.clone())
    );
    // A noun that nothing explains.
    let laser = "붉은 레이저 눈꽃 모자";
    assert_eq!(left(name, laser, &much), (confirmed, clean.clone()));
    // A label that misses the main color.
    let gold_on_white = [(WHITE, 0.55), (gold, 0.26), (RED, 0.19)];
    let whole = "흰색과 금색의 눈꽃 모자".to_owned();
    assert_eq!(left(name, "금색 눈꽃 모자", &gold_on_white), (whole, clean));
}

#[test]
fn what_is_confirmed_drops_tags_queries_and_colors() {
    let colors = icon(&[(RED, 0.8), (WHITE, 0.2)]);
    let context = RecordContext {
        colors: Some(&colors),
        ..hat("눈꽃 모자")
    };
    let invented = labels("눈꽃 모자")
        .with(Field::LabelKo, ["붉은 레이저 눈꽃 모자"])
        .with(Field::TagsKo, ["붉은", "레이저", "모자"])
        .with(Field::QueryVariantsKo, ["레이저 모자", "붉은 모자"])
        .with(Field::Colors, ["white", "얼룩"]);
    let fixed = fixed_safely(&invented, &context);
    assert_eq!(fixed.label_ko(), "빨간 눈꽃 모자");
    let tags = ["붉은", "모자", "흰색", "눈꽃", "빨간색"];
    assert_eq!(fixed.values(Field::TagsKo), tags);
    let queries = ["붉은 모자", "빨간 모자", "하얀 모자"];
    assert_eq!(fixed.values(Field::QueryVariantsKo), queries);
    assert_eq!(fixed.values(Field::Colors), ["red", "white"]);
    // The words of a person stay.
    let edited = RecordContext {
        edited_by_person: true,
        ..context
    };
    let fixed = fixed_safely(&invented, &edited);
    assert_eq!(fixed.label_ko(), invented.label_ko());
    assert!(!check(&fixed, &edited).is_empty());
}

#[test]
fn a_color_of_the_name_counts_if_the_label_repeats_it() {
    let red = [(RED, 0.8), (WHITE, 0.2)];
    let white = [(WHITE, 0.8), (RED, 0.2)];
    let (name, label) = ("붉은 모자", "붉은색 천으로 만든 붉은 모자");
    let unseen = vec![Reason::AttributesMissing];
    assert_eq!(left(name, label, &red).1, []);
    assert_eq!(left(name, label, &white).1, unseen);
    assert_eq!(left(name, "눈꽃 무늬가 있는 붉은 모자", &red).1, unseen);
}

/// Labels with every kind of problem, in many combinations.
fn generated() -> Vec<(Labels, RecordContext<'static>)> {
    static ICONS: LazyLock<[Option<ColorHistogram>; 4]> = LazyLock::new(|| {
        [
            Some(icon(&[(RED, 0.8), (WHITE, 0.2)])),
            Some(icon(&[([17, 17, 17], 0.6), ([212, 175, 55], 0.4)])),
            Some(ColorHistogram::default()),
            None,
        ]
    });
    let none: [&str; 0] = [];
    let names = [
        "눈꽃 모자",
        "블랙 클로버",
        "에테르넬 아처후드",
        "♣메이플♣",
        "龍의 검",
        "",
    ];
    let texts = [
        "붉은 리본 모자",
        "모자",
        "검은색과 금색이 섞인 모자",
        "블랙/화이트, 레이스, 모자, 모자",
        "눈꽃 모자",
        "緑色 모자 hat",
        "검은색",
        "파란색으로 빛나는 모자입니다.",
        "a black hat",
    ];
    let mut all = Vec::new();
    for name in names {
        for text in texts {
            for colors in ICONS.iter() {
                for sparse in [false, true] {
                    let mut made = labels("눈꽃 모자").with(Field::LabelKo, [text]);
                    if sparse {
                        made.set(Field::TagsKo, ["블랙", "可爱"]);
                        made.set(Field::QueryVariantsKo, [text, text]);
                        made.set(Field::Colors, ["blue"]);
                        for field in [Field::Theme, Field::Material, Field::Vibe] {
                            made.set(field, none);
                        }
                        made.set(Field::ItemTypeGuess, none);
                    }
                    let context = RecordContext {
                        colors: colors.as_ref(),
                        is_duplicate: sparse,
                        ..hat(name)
                    };
                    all.push((made, context));
                }
            }
        }
    }
    all
}

#[test]
fn a_fix_clears_its_reason_and_adds_no_worse_one() {
    let mut seen = 0;
    for (labels, context) in generated() {
        let before = check(&labels, &context);
        for &reason in &before {
            for offered in offered(&[reason], &labels, &context) {
                seen += 1;
                let fixed = offered.applied(&labels);
                let unique = RecordContext {
                    is_duplicate: false,
                    ..context
                };
                let after = check(&fixed, &unique);
                let context_text = format!(
                    "{:?} {} -> {}",
                    offered.kind,
                    labels.label_ko(),
                    fixed.label_ko()
                );
                assert!(!after.contains(&reason), "{context_text}");
                let gravity = crate::record::rules::weight;
                let worse = after
                    .iter()
                    .filter(|new| !before.contains(new) && gravity(**new) >= gravity(reason));
                assert_eq!(worse.count(), 0, "{context_text}: {after:?}");
                assert_eq!(fixed.label_ko(), clean_text(fixed.label_ko()));
                assert_eq!(fixed.normalized(&VOCABULARY).label_ko(), fixed.label_ko());
            }
        }
    }
    assert!(seen > 500, "{seen}");
}
