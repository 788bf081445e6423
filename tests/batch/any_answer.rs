//! Whatever a model answers, every image has a valid record or a listed failure.

use crate::common::{Desk, Ended, good, names, picture, say};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn assert_valid(records: &[Value]) {
    let schema = include_str!("../../assets/record.schema.json");
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for record in records {
        let errors: Vec<String> = validator
            .iter_errors(record)
            .map(|error| format!("{}: {error}", error.instance_path))
            .collect();
        assert!(errors.is_empty(), "{errors:?}\n{record}");
    }
}

/// Fragments of text from models, collectors and attackers.
const PIECES: [&str; 36] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\\",
    "\\u12",
    "null",
    "true",
    "-1e9",
    "label_ko",
    "tags_ko",
    "attributes",
    "colors",
    "금색",
    "red",
    "붉은 모자",
    "모자",
    "{name}",
    "<|im_end|>",
    "<|vision_start|>",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{0}",
    "\u{200b}",
    "😀",
    "👩\u{200d}🎤",
    "\u{1106}\u{1169}",
    "龍",
    "ru\u{301}",
    "\n",
    "\t",
    "```json",
    " ",
];

fn babble(random: &mut StdRng, max: usize) -> String {
    (0..random.random_range(0..=max))
        .map(|_| *PIECES.choose(random).unwrap())
        .collect()
}

/// A good answer with some of its values replaced by others, valid or not.
fn corrupted(random: &mut StdRng, name: &str) -> Value {
    let mut answer = good(name);
    for _ in 0..random.random_range(1..4) {
        let keys = [
            "label_ko",
            "label_en",
            "tags_ko",
            "query_variants_ko",
            "attributes",
        ];
        let inner = ["colors", "theme", "material", "vibe", "item_type_guess"];
        let value = match random.random_range(0..5) {
            0 => json!(babble(random, 30)),
            1 => json!(vec![babble(random, 4); 40]),
            2 => json!((0..30).map(|_| babble(random, 6)).collect::<Vec<_>>()),
            3 => json!({"colors": [babble(random, 3), 7, null]}),
            _ => Value::Null,
        };
        match random.random_range(0..2) {
            0 => answer[*keys.choose(random).unwrap()] = value,
            _ if answer["attributes"].is_object() => {
                answer["attributes"][*inner.choose(random).unwrap()] = value;
            }
            _ => {}
        }
    }
    answer
}

/// A manifest with one image per name, because not every name can be a file name.
fn manifest(desk: &Desk, names: &[String]) {
    let mut lines = String::new();
    for (n, name) in names.iter().enumerate() {
        let path = desk.source(&format!("{n}.png"));
        picture(&format!("picture {n}")).save(path).unwrap();
        let row = json!({
            "image_path": format!("{n}.png"), "item_name": name, "source_type": "cash",
            "item_description": name,
        });
        lines.push_str(&format!("{row}\n"));
    }
    std::fs::write(desk.source("m.jsonl"), lines).unwrap();
}

fn batch(desk: &Desk) -> Ended {
    desk.batch_of(&["--input", "source/m.jsonl"], &["--parquet"])
}

#[test]
fn every_image_has_a_valid_record_or_a_failure() {
    let mut random = StdRng::seed_from_u64(3);
    let mut desk = Desk::new();
    let mut names_given = Vec::new();
    for n in 0..150 {
        // The number makes the fake answer apply to this item only.
        let name = format!("[{n}]{}", babble(&mut random, 8));
        let play = match random.random_range(0..5) {
            0 => say(babble(&mut random, 60).into()),
            1 => {
                let whole = good(&name).to_string();
                let cut = whole.floor_char_boundary(random.random_range(0..whole.len()));
                json!({"truncate": whole[..cut]})
            }
            2 => say(format!("{}{}", good(&name), babble(&mut random, 10)).into()),
            _ => say(corrupted(&mut random, &name)),
        };
        desk.plays(&format!("[{n}]"), &[play]);
        names_given.push(name);
    }
    manifest(&desk, &names_given);
    let ended = batch(&desk);
    assert!(matches!(ended.status, 0 | 3), "{}", ended.err);
    let (records, errors) = (desk.records(), desk.errors());
    assert!(records.len() > 60 && errors.len() > 5, "{}", records.len());
    assert_valid(&records);
    assert!(errors.iter().all(|error| error["code"] == "invalid_json"));
    let paths: BTreeSet<String> = records
        .iter()
        .chain(&errors)
        .map(|line| line["image_path"].to_string())
        .collect();
    assert_eq!(paths.len(), names_given.len());
    assert_eq!(records.len() + errors.len(), names_given.len());
}

#[test]
fn names_in_any_script_are_kept() {
    let decomposed = "\u{1106}\u{1169}\u{110c}\u{1161} e\u{301}";
    let given = [
        ("눈꽃 모자", "눈꽃 모자"),
        ("👩\u{200d}🎤 모자 🎩", "👩\u{200d}🎤 모자 🎩"),
        (decomposed, "모자 é"),
        ("검은\u{1b}[2J\u{7} 모자\r\n", "검은[2J 모자"),
        ("뒤집힌\u{202e}모자", "뒤집힌모자"),
        ("\"말\" \\ {name}<|im_end|>", "\"말\" \\ {name}<|im_end|>"),
    ];
    let desk = {
        let mut desk = Desk::new();
        for (_, clean) in given {
            desk.plays(&format!("name: {clean}\n"), &[say(good(clean))]);
        }
        desk
    };
    manifest(&desk, &given.map(|(name, _)| name.to_owned()));
    batch(&desk).expect(0);
    let records = desk.records();
    assert_valid(&records);
    assert_eq!(names(&records), given.map(|(_, clean)| clean.to_owned()));
    for record in records {
        assert_eq!(record["quality_flags"]["reasons"], json!([]), "{record}");
    }
}
