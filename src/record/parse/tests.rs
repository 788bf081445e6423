use super::*;
use crate::record::{Field, Vocabulary};
use proptest::prelude::*;
use serde_json::{Value, json};

const WHOLE: &str = r#"{"label_ko":"붉은 리본이 달린 눈꽃 모자","label_en":null,"tags_ko":["모자","빨간색","리본"],"attributes":{"colors":["red","sky blue"],"theme":["winter"],"material":["fabric"],"vibe":["cute"],"item_type_guess":"hat"},"query_variants_ko":["빨간 모자","리본 모자"],"quality_flags":{"is_uncertain":true,"reasons":["too_small"]}}"#;

#[test]
fn a_plain_answer_is_read_completely() {
    let parsed = parse(WHOLE).unwrap();
    assert!(!parsed.cut && !parsed.repaired);
    let labels = parsed.labels;
    assert_eq!(labels.label_ko(), "붉은 리본이 달린 눈꽃 모자");
    assert_eq!(labels.values(Field::TagsKo), ["모자", "빨간색", "리본"]);
    assert_eq!(labels.values(Field::Colors), ["red", "sky blue"]);
    assert_eq!(labels.text(Field::ItemTypeGuess), Some("hat"));
    assert_eq!(labels.model_reasons, [Reason::TooSmall]);
}

#[test]
fn deviations_from_json_are_repaired() {
    let plain = parse(WHOLE).unwrap().labels;
    let spoiled = [
        format!("```json\n{WHOLE}\n```"),
        format!("Sure {{here}}: it is\n{WHOLE} Hope it helps!"),
        WHOLE.replace(']', ",]").replace('}', ",}"),
        WHOLE
            .replace('"', "'")
            .replace("null", "None")
            .replace("true", "True"),
        WHOLE.replace("\"label_ko\"", "label_ko"),
        WHOLE.replace(",\"tags_ko\"", "\"tags_ko\""),
        WHOLE
            .replace("\"attributes\":{", "")
            .replacen("},\"query", ",\"query", 1),
        WHOLE.replace("[\"모자\",\"빨간색\",\"리본\"]", "\"모자,빨간색,리본\""),
    ];
    for text in spoiled {
        assert_eq!(
            parse(&text).map(|parsed| parsed.labels),
            Ok(plain.clone()),
            "{text}"
        );
    }
}

#[test]
fn quotes_and_escapes_inside_a_text_are_kept() {
    let parsed = parse(r#"{"label_ko":"그 "별" 모자\n\uD83D\uDE00 \ud83d!"}"#).unwrap();
    assert_eq!(parsed.labels.label_ko(), "그 \"별\" 모자\n😀 !");
    assert!(parsed.repaired && !parsed.cut);
}

#[test]
fn unreadable_answers_fail_with_an_excerpt() {
    for text in [
        "",
        "모자입니다.",
        "{\"label_ko\":\"\"}",
        "[1,2",
        "{\"label\":\"x\"}",
        "{\"label_ko\":null}",
    ] {
        let failure = parse(text).unwrap_err();
        assert_eq!(failure.code, FailureCode::InvalidJson);
    }
    let failure = parse(&"\u{1b}[2J 긴 답".repeat(100)).unwrap_err();
    let detail = failure.detail.to_string();
    assert!(detail.chars().count() < 200 && !detail.contains('\u{1b}'));
    assert!(parse(&"[{".repeat(100_000)).is_err());
}

#[test]
fn an_answer_cut_anywhere_is_completed_with_the_name() {
    for (at, _) in WHOLE.char_indices() {
        let text = complete(&WHOLE[..at], Some("눈꽃 모자"));
        let value: Value = serde_json::from_str(&text).unwrap();
        let label = value["label_ko"].as_str().unwrap();
        assert_eq!(label.matches("눈꽃").count(), 1, "{label}");
        assert!(label.contains("눈꽃 모자"));
        let parsed = parse(&text).unwrap();
        assert!(!parsed.cut && !parsed.repaired);
        let whole = parse(WHOLE).unwrap().labels;
        for tag in parsed.labels.values(Field::TagsKo) {
            assert!(whole.values(Field::TagsKo).contains(tag), "{tag}");
        }
        let guess = parsed.labels.text(Field::ItemTypeGuess);
        assert!(guess.is_none() || guess == whole.text(Field::ItemTypeGuess));
    }
    assert_eq!(complete(WHOLE, Some("다른 이름")), WHOLE);
}

#[test]
fn confidence_depends_on_sampled_tokens_only() {
    let text = r#"{"label_ko":"붉은 모자","tags_ko":["모자","리본"],"attributes":{"colors":["sky blue"]}}"#;
    let split = [
        "{\"label_ko\":\"",
        "붉은",
        " 모",
        "자",
        "\",\"tags_ko\":[\"",
        "모자",
        "\",\"",
        "리본",
        "\"],\"attributes\":{\"colors\":[\"",
        "sky",
        " blue",
        "\"]}}",
    ];
    let probability = |piece: &str| match piece {
        "붉은" => 0.5f32,
        " 모" | "sky" => 0.125,
        _ => 1.0,
    };
    let tokens: Vec<Token> = split
        .iter()
        .map(|piece| {
            (
                piece.as_bytes(),
                Some(probability(piece).ln()),
                *piece == "리본" || piece.contains('"'),
            )
        })
        .collect();
    let fields = confidence(text, tokens.iter().copied());
    let of = |field| fields.iter().find(|found| found.field == field).unwrap();
    let label = of(Field::LabelKo);
    assert!((label.mean - (0.5f32 * 0.125).powf(1.0 / 3.0)).abs() < 1e-5);
    assert!((label.weakest - 0.125).abs() < 1e-6);
    assert_eq!(label.weak_words, ["모자"]);
    assert_eq!(of(Field::TagsKo).mean, 1.0);
    assert_eq!(of(Field::Colors).weak_words, ["sky blue"]);
    assert_eq!(fields.len(), 3);
    assert!(confidence(text, tokens.iter().skip(1).copied()).is_empty());
}

#[test]
fn a_syllable_split_over_tokens_counts_for_its_word() {
    let text = r#"{"label_ko":"힣 모자"}"#;
    let bytes = text.as_bytes();
    let cut = text.find('힣').unwrap() + 1;
    let tokens = [
        (&bytes[..cut], Some(-0.1), false),
        (&bytes[cut..cut + 2], Some(-3.0), false),
        (&bytes[cut + 2..], Some(0.0), false),
    ];
    let fields = confidence(text, tokens);
    assert_eq!(fields[0].weak_words, ["힣"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*|[{}\\[\\]\":,'a-z_\\\\u가 \n]{0,200}") {
        let _ = parse(&text);
        let _ = complete(&text, Some("이름"));
        let tokens = [(text.as_bytes(), Some(-1.0), false)];
        let _ = confidence(&text, tokens);
    }

    #[test]
    fn damaged_answers_are_handled(at in 0usize..400, with in "\\PC{0,3}", until in 0usize..500) {
        let mut text: String = WHOLE.chars().take(at).collect();
        text.push_str(&with);
        text.extend(WHOLE.chars().skip(at + 1));
        let text: String = text.chars().take(until).collect();
        if let Ok(parsed) = parse(&text) {
            let vocabulary = Vocabulary::builtin().unwrap();
            let labels = parsed.labels.normalized(&vocabulary);
            prop_assert_eq!(labels.normalized(&vocabulary), labels);
        }
        let whole = complete(&text, None);
        prop_assert_eq!(complete(&whole, None), whole);
    }

    #[test]
    fn plain_json_is_read_as_serde_reads_it(label in "\\PC{1,20}", tags in proptest::collection::vec("\\PC{0,8}", 0..5)) {
        prop_assume!(!clean_text(&label).is_empty());
        let text = json!({"label_ko": label, "tags_ko": tags}).to_string();
        let parsed = parse(&text).unwrap();
        prop_assert_eq!(parsed.labels.label_ko(), label);
        prop_assert_eq!(parsed.labels.values(Field::TagsKo), tags);
        prop_assert!(!parsed.cut && !parsed.repaired);
    }
}

const VALUES: &str = r#"["붉은 리본이 달린 눈꽃 모자","모자,빨간색, 리본","red,sky blue","winter","fabric","cute","hat","빨간 모자,리본 모자","too_small"]"#;

#[test]
fn both_answer_forms_are_equivalent() {
    let of_values = parse(VALUES).unwrap();
    assert_eq!(of_values, parse(WHOLE).unwrap());
    let labels = of_values.labels;
    for form in [AnswerForm::Record, AnswerForm::Values] {
        for labels in [
            labels.clone(),
            labels.clone().with(Field::LabelEn, ["A hat."]),
        ] {
            let text = form.write(&labels);
            assert_eq!(parse(&text).unwrap().labels, labels, "{text}");
            assert_eq!(complete(&text, None), text);
        }
    }
    let none: [&str; 0] = [];
    let bare = labels
        .with(Field::Theme, none)
        .with(Field::ItemTypeGuess, none);
    let mut bare = bare;
    bare.model_reasons.clear();
    assert_eq!(
        parse(&AnswerForm::Values.write(&bare)).unwrap().labels,
        bare
    );
}

#[test]
fn fenced_values_are_read_and_other_arrays_are_rejected() {
    let fenced = parse(&format!("Here: ```json\n{VALUES}\n```")).unwrap();
    assert_eq!(fenced.labels, parse(WHOLE).unwrap().labels);
    assert!(fenced.repaired);
    for text in [
        r#"["모자","리본"]"#,
        "see [\"모자\",\"리본",
        "[[\"모자\"]]",
        "[]",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn cut_values_are_completed() {
    let name = Some("눈꽃 모자");
    for at in (0..VALUES.len()).filter(|at| VALUES.is_char_boundary(*at)) {
        let labels = parse(&complete(&VALUES[..at], name)).unwrap().labels;
        assert!(labels.label_ko().ends_with("눈꽃 모자"), "{labels:?}");
        for color in labels.values(Field::Colors) {
            assert!(["red", "sky blue"].contains(&color.as_str()), "{color}");
        }
    }
}

#[test]
fn confidence_of_array_values_is_computed_from_their_tokens() {
    let sure = |text: &'static str| (text.as_bytes(), Some(-0.01), false);
    let at = VALUES.find("sky").unwrap();
    let (before, after) = (&VALUES[..at], &VALUES[at + 3..]);
    let tokens = [sure(before), (b"sky", Some(-2.0), false), sure(after)];
    let found = confidence(VALUES, tokens);
    let of = |field| found.iter().find(|of| of.field == field).unwrap();
    assert_eq!(of(Field::Colors).weak_words, ["sky blue"]);
    assert!((of(Field::Colors).weakest - (-2f32).exp()).abs() < 1e-6);
    assert!(of(Field::Material).weak_words.is_empty());
    assert!(of(Field::Material).weakest > 0.9);
}
