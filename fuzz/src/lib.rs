//! Fuzz targets: every parser of bytes from outside. None may panic on any input. `tests/fuzz.rs`
//! includes this file and checks limits of time and memory.

use labeler_tui::labeler::remote::read_answer;
use labeler_tui::record::fixes::{offered, safe_fixes};
use labeler_tui::record::{
    Change, ColorHistogram, Derivation, EditFacts, Field, Labels, Names, Reason, RecordContext,
    Replacement, Vocabulary, about_reasons, agreement, apply, check, derive, similar, to_oklab,
};
use labeler_tui::source::{SourceKind, SourceOptions};
use labeler_tui::tui::keymap::Keymap;
use labeler_tui::tui::{Decoder, Input, PictureChoice, Replies};
use labeler_tui::{cli, icon, record, source};
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// A fuzz target; takes the raw input.
pub type Target = fn(&[u8]);

pub const TARGETS: [(&str, Target); 9] = [
    ("decode", decode),
    ("manifest", manifest),
    ("parquet", parquet),
    ("answer", answer),
    ("completion", completion),
    ("labels", labels),
    ("config", config),
    ("keymap", keymap),
    ("terminal", terminal),
];

/// Decodes an image file.
pub fn decode(input: &[u8]) {
    if let Ok(icon) = icon::decode(input) {
        icon::measure(&icon);
    }
}

/// Reads a text manifest; the first byte selects the format.
pub fn manifest(input: &[u8]) {
    let ends = ["jsonl", "json", "csv", "tsv", "tar", "jsonl.gz"];
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    // Digits make it easy to write a corpus by hand.
    let end = ends[usize::from(first.wrapping_sub(b'0')) % ends.len()];
    read_manifest(end, rest);
}

/// Reads a Parquet file.
pub fn parquet(input: &[u8]) {
    read_manifest("parquet", input);
}

fn read_manifest(end: &str, content: &[u8]) {
    with_file(end, content, |path| {
        let options = SourceOptions::new(SourceKind::Manifest(path.to_owned()));
        if let Ok(mut source) = source::open(&options) {
            // Errors are fine.
            let _ = source.read(&mut |_| ControlFlow::Continue(()));
        }
    });
}

/// Parses the text of a model's answer.
pub fn answer(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(parsed) = record::parse(&text) {
        // A completed answer must parse too.
        let whole = record::complete(&text, Some("모자"));
        assert!(
            record::parse(&whole).is_ok(),
            "{parsed:?} of {text:?} became {whole:?}"
        );
    }
}

/// Runs rules, fixes and edits over imported values of a field, one value per line. The first byte
/// selects the field. A line that begins with `*` is repeated up to [`LONG`] bytes as one value, a
/// line with `**` as many values; `#` in it becomes the number of the repetition.
pub fn labels(input: &[u8]) {
    let Ok(vocabulary) = Vocabulary::builtin() else {
        return;
    };
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let field = Field::ALL[usize::from(first.wrapping_sub(b'0')) % Field::ALL.len()];
    let values: Vec<String> = String::from_utf8_lossy(rest)
        .lines()
        .flat_map(|line| match line.strip_prefix('*') {
            None => vec![line.to_owned()],
            Some(line) => match line.strip_prefix('*') {
                None => vec![repeated(line).collect()],
                Some(line) => repeated(line).collect(),
            },
        })
        .collect();
    let name = "눈꽃 모자";
    let long = values.first().map_or(name, String::as_str);
    let labels = Labels::default()
        .with(Field::LabelKo, ["검은 리본이 달린 눈꽃 모자"])
        .with(Field::Colors, ["black"])
        .with(field, values.clone());
    let colors = ColorHistogram {
        opaque: 300,
        bins: vec![(to_oklab([200, 30, 35]), 1.0)],
        ..ColorHistogram::default()
    };
    for (item_name, current_name) in [(name, name), (long, name), (name, long)] {
        let context = RecordContext {
            current_name,
            part: Some("모자"),
            colors: Some(&colors),
            others: std::slice::from_ref(&labels),
            ..RecordContext::new(&vocabulary, item_name)
        };
        check(&labels, &context);
        about_reasons(&labels, &context);
        offered(Reason::ALL, &labels, &context);
        safe_fixes(&labels, &context);
        let names = Names {
            original: item_name,
            current: current_name,
        };
        names.updated(&labels, &vocabulary);
        let derivation = Derivation {
            vocabulary: &vocabulary,
            from: item_name,
            to: current_name,
            recoloring: &[("black".to_owned(), "red".to_owned())]
                .into_iter()
                .collect(),
            colors: None,
        };
        derive(&labels, &derivation);
    }
    let normalized = labels.normalized(&vocabulary);
    assert_eq!(normalized.normalized(&vocabulary), normalized);
    agreement(&labels, &[labels.clone(), normalized.clone()], name);
    let words: Vec<&str> = values.iter().map(String::as_str).collect();
    similar(field, &words, &vocabulary);
    let others = values.iter().map(|value| format!("{value}!"));
    for change in [
        Change::Set {
            field,
            values: others.collect(),
        },
        Change::Add {
            field,
            value: long.to_owned(),
        },
        Change::Rename {
            field,
            from: long.to_owned(),
            to: "red".to_owned(),
        },
        Change::Replace(Replacement::everywhere("모", "모자")),
        Change::Canonicalize { drop_unknown: true },
    ] {
        let facts = EditFacts {
            vocabulary: &vocabulary,
            item_name: name,
            taken: None,
        };
        // Refusals are fine.
        let _ = apply(&labels, &change, &facts);
    }
}

/// Size in bytes of a field far above the limits of a record.
const LONG: usize = 60_000;

fn repeated(text: &str) -> impl Iterator<Item = String> {
    let times = LONG / text.len().max(1);
    (0..times).map(move |time| text.replace('#', &time.to_string()))
}

/// Reads a server's answer; the tokens must spell its text.
pub fn completion(input: &[u8]) {
    if let Ok(answer) = read_answer(input, Duration::ZERO) {
        let spelled: Vec<u8> = answer
            .tokens
            .iter()
            .flat_map(|token| token.bytes.clone())
            .collect();
        assert!(spelled.is_empty() || spelled == answer.text.as_bytes());
    }
}

/// Reads a `--config` file.
pub fn config(input: &[u8]) {
    with_file("toml", input, |path| {
        let args = [
            "labeler-tui".as_ref(),
            "--config".as_ref(),
            path.as_os_str(),
        ];
        // Errors are fine.
        let _ = cli::parse(args.map(ToOwned::to_owned).to_vec());
    });
}

/// Reads a key file.
pub fn keymap(input: &[u8]) {
    with_file("toml", input, |path| {
        // Errors are fine.
        let _ = Keymap::load(path.to_str(), None);
    });
}

/// Decodes terminal input (keys and replies to queries) in pieces of up to seven bytes.
pub fn terminal(input: &[u8]) {
    let mut decoder = Decoder::default();
    let mut replies = Replies::default();
    let mut all = Vec::new();
    for piece in input.chunks(7) {
        all.extend(decoder.push(piece));
        if piece.len() < 7 {
            all.extend(decoder.expire());
        }
    }
    for input in all {
        if let Input::Report(text) = input {
            replies.take(&text);
        }
    }
    replies.capabilities(PictureChoice::Auto);
}

fn with_file(end: &str, content: &[u8], read: impl FnOnce(&Path)) {
    let mut builder = tempfile::Builder::new();
    let suffix = format!(".{end}");
    let file = builder.prefix("input").suffix(&suffix).tempfile();
    // No temporary file, nothing to test.
    let Ok(mut file) = file else { return };
    if file.write_all(content).is_ok() {
        read(file.path());
    }
}
