use super::*;
use crate::prompt::{Lang, schema};
use crate::record::testing::VOCABULARY;
use crate::record::{
    self, AnswerForm, ColorHistogram, Field, Labels, QualityFlags, Reason, Record, RecordContext,
    SourceType, Vocabulary, to_oklab,
};
use llguidance::toktrie::{ApproximateTokEnv, TokRxInfo, TokTrie, TokenizerEnv};
use proptest::prelude::{
    ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use rand::{Rng as _, SeedableRng, rngs::StdRng};
use std::sync::OnceLock;

const END: u32 = 256;

/// A tokenizer of all bytes, an end token, and some longer tokens, including ones that span fields.
fn tokenizer() -> TokEnv {
    let mut words: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    words.push(b"\xff<|end|>".to_vec());
    for text in [
        "{\"", "\":\"", "\",\"", "\":[\"", "\"],\"", "모자", "빨간", " 리본", "label", "_ko", "red",
    ] {
        words.push(text.as_bytes().to_vec());
    }
    let info = TokRxInfo {
        vocab_size: words.len() as u32,
        tok_eos: END,
        tok_bos: None,
        tok_pad: None,
        tok_unk: None,
        tok_end_of_turn: None,
    };
    Arc::new(Canonical(Arc::new(ApproximateTokEnv::new(TokTrie::from(
        &info, &words,
    )))))
}

/// Declares a tokenizer's greedy tokenization canonical, so that tokens are forced.
struct Canonical(TokEnv);

impl TokenizerEnv for Canonical {
    fn tok_trie(&self) -> &TokTrie {
        self.0.tok_trie()
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<u32> {
        self.0.tokenize_bytes(bytes)
    }
}

fn bytes(env: &TokEnv, token: u32) -> Vec<u8> {
    env.tok_trie().token(token).to_vec()
}

/// Generates an answer of uniformly random tokens.
fn random_answer(env: &TokEnv, grammar: &mut Grammar, random: &mut StdRng) -> String {
    let mut answer = Vec::new();
    while !grammar.is_finished() {
        for token in grammar.forced() {
            answer.extend(bytes(env, token));
        }
        let allowed = grammar.mask().unwrap().to_list();
        assert!(!allowed.is_empty());
        let token = allowed[random.random_range(0..allowed.len())];
        if token == END {
            break;
        }
        grammar.advance(token).unwrap();
        answer.extend(bytes(env, token));
        assert!(answer.len() < 20_000);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn random_answers_follow_the_schema_in_compact_form() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let env = tokenizer();
    let mut compiler = GrammarCompiler::new(&env).unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let names = [
        None,
        Some("별빛 모자"),
        Some("A.I. \"(+1)\" \\ {모자}"),
        Some("😀 龍"),
    ];
    for name in names {
        for lang in [Lang::Ko, Lang::Both] {
            let schema = Arc::new(schema(
                AnswerForm::Record,
                &vocabulary,
                lang,
                name,
                None,
                true,
            ));
            let validator = jsonschema::validator_for(&schema).unwrap();
            for _ in 0..3 {
                let mut grammar = compiler.compile(&schema).unwrap();
                let text = random_answer(&env, &mut grammar, &mut random);
                let value: Value = serde_json::from_str(&text).unwrap();
                assert!(validator.is_valid(&value), "{text}");
                assert_eq!(value.to_string(), text);
                let label = value["label_ko"].as_str().unwrap();
                assert!(label.contains(name.unwrap_or_default()), "{label}");
            }
        }
    }
}

#[test]
fn keys_are_forced_and_other_tokens_rejected() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let env: TokEnv = ApproximateTokEnv::single_byte_env();
    let mut compiler = GrammarCompiler::new(&env).unwrap();
    let schema = Arc::new(schema(
        AnswerForm::Record,
        &vocabulary,
        Lang::Ko,
        None,
        None,
        true,
    ));
    let mut grammar = compiler.compile(&schema).unwrap();
    let opening: Vec<u8> = grammar
        .forced()
        .iter()
        .flat_map(|t| bytes(&env, *t))
        .collect();
    assert_eq!(String::from_utf8(opening).unwrap(), "{\"label_ko\":\"");
    assert!(!grammar.is_finished());
    assert!(grammar.advance(u32::from(b'\n')).is_err());
}

#[test]
fn an_invalid_schema_is_an_error() {
    let mut compiler = GrammarCompiler::new(&tokenizer()).unwrap();
    let schema = Arc::new(serde_json::json!({"type": "nonsense"}));
    assert!(compiler.compile(&schema).is_err());
}

/// Converts an answer to labels and its line of `labels.jsonl`.
fn exported(text: &str, name: &str, truncated: bool, vocabulary: &Vocabulary) -> (Labels, Value) {
    let parsed = record::parse(text).unwrap();
    line_of(parsed.labels, text, name, truncated, vocabulary)
}

fn line_of(
    labels: Labels,
    text: &str,
    name: &str,
    truncated: bool,
    vocabulary: &Vocabulary,
) -> (Labels, Value) {
    let labels = labels.normalized(vocabulary);
    let confidence = record::confidence(text, [(text.as_bytes(), Some(-0.5), false)]);
    let colors = ColorHistogram {
        opaque: 400,
        bins: vec![(to_oklab([200, 30, 35]), 1.0)],
        ..ColorHistogram::default()
    };
    let context = RecordContext {
        colors: Some(&colors),
        confidence: &confidence,
        truncated,
        ..RecordContext::new(vocabulary, name)
    };
    let reasons = record::check(&labels, &context);
    let line = Record {
        image_path: "icons/1.png".into(),
        image_sha256: Some("0f".repeat(32)),
        source_type: SourceType::Cash,
        item_name: name.into(),
        item_description: None,
        labels: labels.clone(),
        quality_flags: QualityFlags {
            is_uncertain: !reasons.is_empty(),
            reasons,
        },
        model: "test".into(),
        prompt_version: "v2".into(),
        generated_at: "2026-01-10T00:00:00Z".into(),
    };
    (labels, serde_json::to_value(line).unwrap())
}

fn record_schema() -> jsonschema::Validator {
    let schema = serde_json::from_str(include_str!("../../../assets/record.schema.json")).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn answers_that_the_grammar_allows_are_valid_records() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let records = record_schema();
    let env = tokenizer();
    let mut compiler = GrammarCompiler::new(&env).unwrap();
    let mut random = StdRng::seed_from_u64(11);
    let name = "별빛 \"모자\" 2";
    let forms = [AnswerForm::Record, AnswerForm::Values];
    for (form, strict) in forms
        .into_iter()
        .flat_map(|form| [(form, false), (form, true)])
    {
        let schema = Arc::new(schema(
            form,
            &vocabulary,
            Lang::Both,
            Some(name),
            None,
            strict,
        ));
        for _ in 0..12 {
            let mut grammar = compiler.compile(&schema).unwrap();
            let text = random_answer(&env, &mut grammar, &mut random);
            let (labels, line) = exported(&text, name, false, &vocabulary);
            let errors: Vec<String> = records.iter_errors(&line).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?} {line}");
            for color in labels.values(Field::Colors) {
                assert!(vocabulary.words(Field::Colors).any(|word| word == color));
            }
            let reasons = line["quality_flags"]["reasons"].to_string();
            for impossible in [
                "item_name_missing",
                "label_equals_item_name",
                "mixed_script",
            ] {
                assert!(!reasons.contains(impossible), "{impossible}: {text}");
            }
        }
    }
}

#[test]
fn an_answer_truncated_anywhere_is_completed_to_a_valid_record() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let records = record_schema();
    let env = tokenizer();
    let mut compiler = GrammarCompiler::new(&env).unwrap();
    let mut random = StdRng::seed_from_u64(13);
    let name = "별빛 모자";
    let of = |form| Arc::new(schema(form, &vocabulary, Lang::Ko, Some(name), None, false));
    let schemas = [AnswerForm::Record, AnswerForm::Values].map(of);
    for i in 0..60 {
        let schema = &schemas[i % 2];
        let mut grammar = compiler.compile(schema).unwrap();
        let whole = random_answer(&env, &mut grammar, &mut random);
        let at = whole.floor_char_boundary(random.random_range(0..whole.len()));
        let text = record::complete(&whole[..at], Some(name));
        let (labels, line) = exported(&text, name, true, &vocabulary);
        let errors: Vec<String> = records.iter_errors(&line).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} {line}");
        assert!(labels.label_ko().contains(name));
        let reasons = line["quality_flags"]["reasons"].to_string();
        assert!(reasons.contains(Reason::Truncated.code()));
        assert!(!reasons.contains(Reason::MixedScript.code()), "{text}");
    }
}

fn vocabulary() -> &'static Vocabulary {
    &VOCABULARY
}

fn assert_valid(line: &Value) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let errors = SCHEMA.get_or_init(record_schema).iter_errors(line);
    let errors: Vec<String> = errors.map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} {line}");
}

/// Random concatenations of answer fragments, many of which can be parsed.
fn answer_fragments() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\":",
        ",",
        "\\",
        "\\u00e9",
        "\"label_ko\":\"모자",
        "\"tags_ko\":[",
        "\"attributes\":{",
        "\"colors\":[\"금색\"",
        "\"quality_flags\":{\"reasons\":[\"too_small\"",
        "null",
        "모자",
        "red",
        " ",
        "\n",
        "\u{7}",
        "\u{200b}",
        "\u{1106}\u{1169}",
        "😀",
    ]);
    let piece = prop_oneof![4 => pieces.prop_map(str::to_owned), 1 => "\\PC{0,6}"];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_rejected_or_becomes_a_valid_record(
        text in answer_fragments(),
        opened in 0..3,
        name in "\\PC{0,12}",
    ) {
        let text = match opened {
            0 => text,
            1 => format!("{{\"label_ko\":\"{text}"),
            _ => format!("[\"{text}"),
        };
        for (text, truncated) in [(text.clone(), false), (record::complete(&text, Some(&name)), true)] {
            if let Ok(parsed) = record::parse(&text) {
                assert_valid(&line_of(parsed.labels, &text, &name, truncated, vocabulary()).1);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_grammar_allows_only_valid_records(
        name in prop::option::of(prop_oneof!["\\PC{1,30}", "[가-힣A-Z \\[\\](){}.*+?^$\\\\|\"']{1,30}"]),
        lang in prop::sample::select(vec![Lang::Ko, Lang::En, Lang::Both]),
        strict in any::<bool>(),
        form in prop::sample::select(vec![AnswerForm::Record, AnswerForm::Values]),
        seed in any::<u64>(),
    ) {
        let name = name.map(|name| crate::text::clean_text(&name)).filter(|name| !name.is_empty());
        let env = tokenizer();
        let schema = Arc::new(schema(form, vocabulary(), lang, name.as_deref(), None, strict));
        let mut grammar = GrammarCompiler::new(&env).unwrap().compile(&schema).unwrap();
        let mut random = StdRng::seed_from_u64(seed);
        let text = random_answer(&env, &mut grammar, &mut random);
        let name = name.unwrap_or_default();
        let (labels, line) = exported(&text, &name, false, vocabulary());
        assert_valid(&line);
        prop_assert!(labels.label_ko().contains(&name), "{} lacks {name}", labels.label_ko());
        prop_assert_eq!(labels.text(Field::LabelEn).is_some(), lang != Lang::Ko);
    }
}
