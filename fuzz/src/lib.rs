//! What is fed with bytes from outside. None of it may panic, whatever they are; how long it may
//! take and how much memory is checked by `tests/fuzz.rs`, which includes this file.

use labeler_tui::labeler::remote::read_answer;
use labeler_tui::record::fixes::{FixFacts, safe_fixes};
use labeler_tui::record::{
    Change, ColorHistogram, Derivation, EditFacts, Field, Labels, Names, Reason, Replacement,
    Vocabulary, about, agreement, apply, check, derive, similar, to_oklab,
};
use labeler_tui::settings::{
    EquipmentName, Mapping, OnlySource, PictureChoice, SourceKind, SourceOptions,
};
use labeler_tui::tui::keymap::Keymap;
use labeler_tui::tui::{Decoder, Input, Replies};
use labeler_tui::{cli, icon, record, source};
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// A target, as everything calls it.
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

/// An image file.
pub fn decode(input: &[u8]) {
    if let Ok(icon) = icon::decode(input) {
        icon::measure(&icon);
    }
}

/// A manifest of text; the first byte chooses its form.
pub fn manifest(input: &[u8]) {
    let ends = ["jsonl", "json", "csv", "tsv", "tar", "jsonl.gz"];
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    // Digits, so that a corpus can be written by hand.
    let end = ends[usize::from(first.wrapping_sub(b'0')) % ends.len()];
    read_manifest(end, rest);
}

/// A Parquet file.
pub fn parquet(input: &[u8]) {
    read_manifest("parquet", input);
}

fn read_manifest(end: &str, content: &[u8]) {
    with_file(end, content, |path| {
        let options = SourceOptions {
            kind: SourceKind::Manifest(path.to_owned()),
            only: OnlySource::All,
            run_id: None,
            equipment_name: EquipmentName::Shape,
            mapping: Mapping::default(),
            max_samples: None,
        };
        if let Ok(mut source) = source::open(&options) {
            // An error is an answer too.
            let _ = source.read(&mut |_| ControlFlow::Continue(()));
        }
    });
}

/// The text of a model's answer.
pub fn answer(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(parsed) = record::parse(&text) {
        // What is read once is read again.
        let whole = record::complete(&text, Some("모자"));
        assert!(
            record::parse(&whole).is_ok(),
            "{parsed:?} of {text:?} became {whole:?}"
        );
    }
}

/// The values of a field as an earlier program left them, one a line: rules, fixes and edits go
/// through them. The first byte chooses the field. A line that begins with `*` is repeated up to
/// [`LONG`] bytes, as one value or, with `**`, as many; `#` in it is how often it stood there.
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
    for (item_name, current_name) in [(name, name), (long, name), (name, long)] {
        let facts = FixFacts {
            item_name: item_name.to_owned(),
            current_name: current_name.to_owned(),
            part: Some("모자".to_owned()),
            colors: Some(ColorHistogram {
                opaque: 300,
                bins: vec![(to_oklab([200, 30, 35]), 1.0)],
                ..ColorHistogram::default()
            }),
            with_metadata: true,
            others: vec![labels.clone()],
            ..FixFacts::default()
        };
        let context = facts.context(&vocabulary);
        for reason in check(&labels, &context.rules) {
            about(reason, &labels, &context.rules);
        }
        facts.offered(Reason::ALL, &labels, &vocabulary);
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
        // A refusal is an answer too.
        let _ = apply(&labels, &change, &facts);
    }
}

/// The bytes of a field that is far longer than a record may have it.
const LONG: usize = 60_000;

fn repeated(text: &str) -> impl Iterator<Item = String> {
    let times = LONG / text.len().max(1);
    (0..times).map(move |time| text.replace('#', &time.to_string()))
}

/// A server's answer: its text, and its tokens laid over that.
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

/// A `--config` file.
pub fn config(input: &[u8]) {
    with_file("toml", input, |path| {
        let args = [
            "labeler-tui".as_ref(),
            "--config".as_ref(),
            path.as_os_str(),
        ];
        // A mistake is an answer too.
        let _ = cli::parse(args.map(ToOwned::to_owned).to_vec());
    });
}

/// A key file.
pub fn keymap(input: &[u8]) {
    with_file("toml", input, |path| {
        // The same.
        let _ = Keymap::load(path.to_str(), None);
    });
}

/// What a terminal sends, in pieces of up to seven bytes: keys, and replies to queries.
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
    // Without room for a file there is nothing to find.
    let Ok(mut file) = file else { return };
    if file.write_all(content).is_ok() {
        read(file.path());
    }
}
