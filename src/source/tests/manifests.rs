//! Tests of JSON lines, JSON arrays and Parquet.

use super::*;
use ::parquet::arrow::ArrowWriter;
use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
};
use proptest::prelude::*;
use std::sync::Arc;

fn lines(text: impl AsRef<[u8]>) -> Read {
    let dir = folder(&[("m.jsonl", text.as_ref())]);
    read(&manifest_at(dir.path().join("m.jsonl"))).unwrap()
}

/// The warnings without the manifest's path.
fn places(read: &Read) -> Vec<&str> {
    let places = read.warnings.iter().map(|warning| {
        let (_, named) = warning.split_once("/m.").unwrap();
        named.split_once(' ').unwrap().1
    });
    places.collect()
}

pub const ROW: &str = r#"{"image_path":"a.png","item_name":"모자","source_type":"cash"}"#;

#[test]
fn paths_in_the_style_of_other_systems_are_resolved() {
    use unicode_normalization::UnicodeNormalization;
    let apart: String = "모자.png".nfd().collect();
    let dir = folder(&[(&format!("icons/{apart}"), b"x"), ("icons/b.png", b"x")]);
    let rows = [
        "icons/모자.png",
        r"icons\\모자.png",
        r"icons\\b.png",
        r"icons\\c.png",
    ];
    let rows = rows.map(|path| {
        format!(r#"{{"image_path": "{path}", "item_name": "이름", "source_type": "cash"}}"#)
    });
    fs::write(dir.path().join("m.jsonl"), rows.join("\n")).unwrap();
    let read = read(&manifest_at(dir.path().join("m.jsonl"))).unwrap();
    let icons = dir.path().join("icons");
    let files: Vec<_> = read
        .items
        .iter()
        .map(|item| item.file.clone().unwrap().to_string())
        .collect();
    assert_eq!(
        files,
        [
            icons.join(&apart),
            icons.join(&apart),
            icons.join("b.png"),
            // Does not exist, so the path is unchanged.
            dir.path().join(r"icons\c.png"),
        ]
        .map(|path| path.display().to_string())
    );
    let expected = [
        "line 1: image_path has Hangul composed",
        "line 2: image_path has Hangul composed",
        "line 3: image_path has \\ where the file's path has /",
    ];
    assert_eq!(read.warnings.len(), expected.len(), "{:?}", read.warnings);
    for (warning, expected) in places(&read).iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
    assert_eq!(read.items[2].image_path, r"icons\b.png");
}

#[test]
fn every_field_of_a_line_is_read() {
    let dir = folder(&[(
        "deep/m.jsonl",
        r#"{"image_path":"../icons/a.png","item_name":" 하얀 모자 ","source_type":"equipment_shape",
"image_sha256":"ab","item_description":"둘째\r\n줄","item_part":"모자","image_url":"https://x/1","ocid":"o1","ranking":12.0,"more":[1]}"#
            .replace("\",\n", "\",")
            .as_bytes(),
    )]);
    let read = read(&manifest_at(dir.path().join("deep/m.jsonl"))).unwrap();
    assert_eq!(read.warnings, [""; 0]);
    assert_eq!(
        read.items,
        [Item {
            image_path: "../icons/a.png".to_owned(),
            file: Some(dir.path().join("deep/../icons/a.png").into()),
            claimed_sha256: Some("ab".to_owned()),
            source_type: crate::record::SourceType::EquipmentShape,
            item_name: "하얀 모자".to_owned(),
            item_description: Some("둘째\n줄".to_owned()),
            item_part: Some("모자".to_owned()),
            image_url: Some("https://x/1".to_owned()),
            ocid: Some("o1".to_owned()),
            ranking: Some(12),
        }]
    );
}

#[test]
fn bad_lines_are_reported_by_number_and_the_others_are_read() {
    let text = [
        ROW,
        "not json",
        "{\"image_path\": oops}",
        "",
        r#"{"image_path":"a.png","item_name":"x"}"#,
        r#"{"image_path":"a.png","item_name":"  ","source_type":"cash"}"#,
        r#"{"image_path":"a.png","item_name":"x","source_type":"weapon"}"#,
        r#"{"image_path":"a\u001b[2J.png","item_name":"x","source_type":"cash"}"#,
        r#"{"image_path":["a.png"],"item_name":"x","source_type":"cash"}"#,
        r#"["a.png","x","cash"]"#,
        r#"{"image_path":null,"item_name":"x","source_type":"cash"}"#,
        r#"{"image_path":"a.png","item_name":"\ud800","source_type":"cash"}"#,
        ROW,
    ]
    .join("\n");
    let read = lines(text);
    assert_eq!(read.names(), ["모자", "모자"]);
    let expected = [
        "line 2: not a JSON object",
        "line 3: not JSON: expected value (column ",
        "line 5: source_type is missing",
        "line 6: item_name contains only blanks and invisible characters",
        "line 7: source_type is \"weapon\"",
        "line 8: image_path contains control characters",
        "line 9: image_path is a list",
        "line 10: not a JSON object",
        "line 11: image_path is missing",
        "line 12: ",
    ];
    assert_eq!(read.warnings.len(), expected.len(), "{:#?}", read.warnings);
    for (warning, expected) in places(&read).into_iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
        assert!(!warning.contains("at line"), "{warning}");
    }
}

#[test]
fn a_bad_optional_field_is_ignored() {
    let with = |field: &str| ROW.replace('}', &format!(",{field}}}"));
    let long = format!("\"item_part\":\"{}\"", "x".repeat(1 << 20));
    let text = [
        with("\"ranking\":1.5"),
        with("\"ranking\":NaN,\"item_description\":NaN,\"note\":\"NaN\""),
        with("\"ocid\":12,\"item_part\":true,\"ranking\":\"7\""),
        with("\"item_description\":[\"a\"],\"ocid\":{}"),
        with("\"ranking\":123456789012345678901234567890"),
    ]
    .join("\n");
    let read = lines(text);
    assert_eq!(read.items.len(), 5, "{:?}", read.warnings);
    assert_eq!(read.items[2].ocid.as_deref(), Some("12"));
    assert_eq!(read.items[2].ranking, Some(7));
    assert_eq!(
        places(&read),
        [
            "line 1: ranking is not an integer and is ignored",
            "line 4: item_description is a list and is ignored",
            "line 4: ocid is an object and is ignored",
            "line 5: ranking is not an integer and is ignored",
        ]
    );
    // A line has a limit too.
    assert!(places(&lines(with(&long)))[0].starts_with("line 1: longer than"));
}

#[test]
fn any_line_may_start_with_a_byte_order_mark() {
    let read = lines(format!("\u{feff}{ROW}\n{ROW}\n\u{feff}{ROW}"));
    assert_eq!((read.items.len(), read.warnings.len()), (3, 0));
}

#[test]
fn invalid_utf8_refuses_only_its_line() {
    let text = [ROW.as_bytes(), b"{\"image_path\":\"\xff\"}", ROW.as_bytes()].join(&b'\n');
    let read = lines(text);
    assert_eq!((read.items.len(), read.warnings.len()), (2, 1));
}

#[test]
fn a_line_of_ten_megabytes_is_reported_and_skipped() {
    let long = ROW.replace("모자", &"가".repeat(10 << 20));
    let read = lines(format!("{ROW}\n{long}\n{ROW}"));
    assert_eq!(read.items.len(), 2);
    assert!(
        places(&read)[0].starts_with("line 2: longer than"),
        "{:?}",
        read.warnings
    );
}

#[test]
fn byte_order_mark_and_windows_line_endings_are_accepted() {
    let read = lines(format!("\u{feff}{ROW}\r\n\r\n{ROW}\r\n"));
    assert_eq!((read.items.len(), read.warnings.len()), (2, 0));
    assert!(lines("").items.is_empty());
}

#[test]
fn names_are_nfc_without_control_characters() {
    let name = |name: &str| {
        let row = serde_json::json!({"image_path": "a", "item_name": name, "source_type": "cash"});
        lines(row.to_string()).items.remove(0).item_name
    };
    assert_eq!(name("\u{1106}\u{1169}\u{110c}\u{1161}"), "모자");
    assert_eq!(name("검은\u{1b}[31m 모자\n"), "검은[31m 모자");
    assert_eq!(name("👩\u{200d}🎤 모자 🎩"), "👩\u{200d}🎤 모자 🎩");
    assert_eq!(name("a\u{202e}b<|im_end|>\""), "ab<|im_end|>\"");
}

#[test]
fn manifests_in_other_encodings_are_read_with_a_warning() {
    let names = ["붉은 모자", "파란 망토", "똠방 신발"];
    let rows = names.map(|name| ROW.replace("모자", name));
    let cp949 = |text: &str| encoding_rs::EUC_KR.encode(text).0.into_owned();
    let utf16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    for (file, text) in [
        ("m.jsonl", rows.join("\r\n")),
        ("m.json", format!("[{}]", rows.join(",\n"))),
    ] {
        for (encoding, bytes) in [("CP949", cp949(&text)), ("UTF-16", utf16(&text))] {
            let dir = folder(&[(file, &bytes)]);
            let read = read(&manifest_at(dir.path().join(file))).unwrap();
            assert_eq!(read.names(), names, "{file} in {encoding}");
            assert!(read.warnings[0].contains(encoding), "{:?}", read.warnings);
            assert!(read.warnings.len() <= 2, "{:?}", read.warnings);
        }
    }
}

#[test]
fn a_name_of_only_invisible_characters_is_refused() {
    let read = lines(ROW.replace("모자", "\u{200b} \u{a0}"));
    assert_eq!(
        places(&read),
        ["line 1: item_name contains only blanks and invisible characters"]
    );
}

#[test]
fn only_source_selects_rows() {
    let equipment = ROW.replace("cash", "equipment_shape").replace("모자", "칼");
    let dir = folder(&[("m.jsonl", format!("{ROW}\n{equipment}").as_bytes())]);
    let mut options = manifest_at(dir.path().join("m.jsonl"));
    options.only = OnlySource::EquipmentShape;
    assert_eq!(read(&options).unwrap().names(), ["칼"]);
}

fn array(text: &str) -> (Read, Option<Error>) {
    let dir = folder(&[("m.json", text.as_bytes())]);
    let mut found = Read::default();
    let result = open(&manifest_at(dir.path().join("m.json")))
        .unwrap()
        .read(&mut |event| {
            match event {
                RowEvent::Item(item) => found.items.push(item.item),
                RowEvent::Missing(item, why) => found.missing.push((item.item, why)),
                RowEvent::Refused(note) | RowEvent::Noted(note) => found.note(note),
                RowEvent::Warning(warning) | RowEvent::Locked(warning) => {
                    found.warnings.push(crate::source::tests::english(warning))
                }
            }
            ControlFlow::Continue(())
        });
    (found, result.err())
}

#[test]
fn a_json_array_is_read_row_by_row() {
    let (read, error) = array(&format!(
        "\u{feff}[{ROW},\n 5, {{\"item_name\":1,\"more\":2}}, {ROW}]\n"
    ));
    assert_eq!(error, None);
    assert_eq!(read.names(), ["모자", "모자"]);
    assert_eq!(read.warnings.len(), 2);
    assert_eq!(places(&read)[0], "row 2: not a JSON object");
    assert!(
        places(&read)[1].starts_with("row 3: image_path is missing; the row has more"),
        "{:?}",
        read.warnings
    );
    assert_eq!(array("[]").1, None);
}

#[test]
fn json_lines_in_a_json_file_are_read() {
    let dir = folder(&[("m.json", format!("\u{feff}{ROW}\n{ROW}\n").as_bytes())]);
    let read = read(&manifest_at(dir.path().join("m.json"))).unwrap();
    assert_eq!(read.names(), ["모자", "모자"]);
}

#[test]
fn a_broken_array_yields_its_complete_rows_before_the_error() {
    let (read, error) = array(&format!("[{ROW},{ROW},{{\"image"));
    assert_eq!(read.items.len(), 2);
    let error = error.unwrap();
    assert_eq!(error.kind, ErrorKind::Source);
    assert!(error.cause.contains("after row 2"), "{error}");
    for text in ["", "{\n}", "5", "[1] x", "[1}", "[\"a]"] {
        assert!(array(text).1.is_some(), "{text:?}");
    }
}

#[test]
fn an_enormous_element_is_reported_and_skipped() {
    let long = ROW.replace("모자", &"\\\"], {".repeat(2 << 20));
    let (read, error) = array(&format!("[{ROW}, {long},{ROW} ]"));
    assert_eq!(error, None);
    assert_eq!(read.items.len(), 2);
    assert!(
        places(&read)[0].starts_with("row 2: longer than"),
        "{:?}",
        read.warnings
    );
}

#[test]
fn a_bad_element_is_the_only_one_refused() {
    let (read, error) = array(&format!("[{ROW}, {{\"image_path\": oops}}, {ROW},]"));
    assert_eq!(error, None);
    assert_eq!(read.items.len(), 2);
    assert_eq!(read.warnings.len(), 2, "{:?}", read.warnings);
    assert!(places(&read)[0].starts_with("row 2: not JSON: expected value"));
    assert_eq!(places(&read)[1], "row 4: not a JSON object");
}

#[test]
fn reading_an_array_can_be_stopped() {
    let dir = folder(&[("m.json", format!("[{ROW},{ROW},{ROW}, nonsense").as_bytes())]);
    let mut count = 0;
    open(&manifest_at(dir.path().join("m.json")))
        .unwrap()
        .read(&mut |_| {
            count += 1;
            match count {
                2 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
        .unwrap();
    assert_eq!(count, 2);
}

pub fn parquet_bytes(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, values)| (name, values, true)),
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub fn strings<const N: usize>(values: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn sample_parquet() -> Vec<u8> {
    let types: DictionaryArray<Int8Type> = ["cash", "equipment_shape", "cash", "cash"]
        .into_iter()
        .collect();
    let names = LargeStringArray::from(vec![Some("모자"), Some("칼"), None, Some("옷")]);
    parquet_bytes(vec![
        ("extra", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ("source_type", Arc::new(types)),
        ("item_name", Arc::new(names)),
        (
            "image_path",
            strings([Some("a.png"), Some("b.png"), Some("c.png"), Some("")]),
        ),
        ("item_description", strings([None; 4])),
        (
            "ranking",
            Arc::new(Float64Array::from(vec![Some(3.0), None, None, None])),
        ),
    ])
}

fn parquet_rows(bytes: &[u8]) -> Result<Read> {
    let dir = folder(&[("m.parquet", bytes)]);
    read(&manifest_at(dir.path().join("m.parquet")))
}

#[test]
fn an_empty_name_gives_way_to_another_column() {
    let rows = br#"{"image_path":"a.png","item_name":"","text":"hat","source_type":"cash"}
{"image_path":"b.png","text":"cap","item_name":" ","source_type":"cash"}
{"image_path":"c.png","item_name":"","source_type":"cash"}
"#;
    let dir = folder(&[("m.jsonl", rows)]);
    let read = read(&manifest_at(dir.path().join("m.jsonl"))).unwrap();
    assert_eq!(read.names(), ["hat", "cap"]);
    assert_eq!(places(&read), ["line 3: item_name is missing"]);
}

#[test]
fn parquet_text_columns_of_every_type_are_read() {
    let read = parquet_rows(&sample_parquet()).unwrap();
    assert_eq!(read.names(), ["모자", "칼"]);
    assert_eq!(read.items[0].ranking, Some(3));
    assert_eq!(read.items[1].ranking, None);
    assert_eq!(read.items[1].source_type.as_str(), "equipment_shape");
    assert_eq!(
        places(&read),
        [
            "row 3: item_name is missing",
            "row 4: image_path is missing"
        ]
    );
}

#[test]
fn the_error_for_parquet_names_its_missing_columns() {
    let bytes = parquet_bytes(vec![("image_path", strings([Some("a.png")]))]);
    let dir = folder(&[("m.parquet", &bytes)]);
    let error = open(&manifest_at(dir.path().join("m.parquet"))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Source);
    assert!(error.cause.ends_with("item_name, source_type"), "{error}");
    let error = parquet_rows(b"PAR1 nothing of the kind PAR1").unwrap_err();
    assert!(error.cause.contains("m.parquet"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::default())]
    #[test]
    fn damaged_manifests_never_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        kind in 0..3usize,
    ) {
        let name = ["m.jsonl", "m.json", "m.parquet"][kind];
        let mut bytes = match kind {
            0 => format!("{ROW}\n{ROW}\n").into_bytes(),
            1 => format!("[{ROW},{ROW}]").into_bytes(),
            _ => sample_parquet(),
        };
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let dir = folder(&[(name, &bytes)]);
        let _ = read(&manifest_at(dir.path().join(name)));
    }
}
