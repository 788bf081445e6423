//! `export`: what training programs find in a dataset, and how an interrupted export resumes.

use crate::common::{self, Desk, Ended, ended, good, lines, say};
use labeler_tui::record::{Change, Field, Vocabulary};
use labeler_tui::store::Journal;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// A labeled folder of icons.
fn labeled(names: &[&str]) -> Desk {
    let desk = Desk::with_icons(names);
    desk.batch(&[]).expect(0);
    desk
}

fn export(desk: &Desk, format: &str, args: &[&str]) -> Ended {
    let mut all = vec![
        "export", "--outdir", "out", "--to", "set", "--format", format,
    ];
    all.extend(args);
    ended(&mut desk.plain(&all))
}

/// Every file of a folder by its path, except the files about the export itself.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = common::files(folder);
    found.retain(|name, _| !["export.json", "README.md"].contains(&name.as_str()));
    found
}

fn icon(desk: &Desk, name: &str) -> Vec<u8> {
    std::fs::read(desk.source(&format!("{name}.png"))).unwrap()
}

#[test]
fn an_image_folder_names_each_image_with_its_text() {
    let desk = labeled(&["가", "나", "다"]);
    let args = ["--shard-size", "2", "--captions", "label,tags"];
    let exported = export(&desk, "imagefolder", &args).expect(0);
    assert_eq!(exported.out, "3 images in set as imagefolder: train 3\n");
    let rows = lines(&desk.path().join("set/train/metadata.jsonl"));
    assert_eq!(rows.len(), 3);
    for (row, (name, folder)) in rows
        .iter()
        .zip([("가", "0000"), ("나", "0000"), ("다", "0001")])
    {
        let record = good(name);
        assert_eq!(row["text"], record["label_ko"]);
        assert_eq!(row["captions"][1], "모자, 빨간색, 천, 단정한, 장비");
        assert_eq!(row["attributes"]["colors"], json!(["red"]));
        let file = row["file_name"].as_str().unwrap();
        assert!(file.starts_with(folder), "{file}");
        let copy = std::fs::read(desk.path().join("set/train").join(file)).unwrap();
        assert_eq!(copy, icon(&desk, name));
    }
    let card = std::fs::read_to_string(desk.path().join("set/README.md")).unwrap();
    assert!(
        card.contains("  - split: train\n    path: \"train/**\""),
        "{card}"
    );
    assert!(card.contains("| train | 3 | 6 | 0 |"), "{card}");
    let relative = "`image_path` is relative to the source that was labeled";
    assert!(card.contains(relative), "{card}");
}

#[test]
fn parquet_contains_the_bytes_of_the_images() {
    let desk = labeled(&["가", "나", "다"]);
    export(&desk, "parquet-images", &["--shard-size", "2"]).expect(0);
    let found = files(&desk.path().join("set"));
    let names: Vec<&String> = found.keys().collect();
    let expected = ["00000", "00001"].map(|n| format!("data/train-{n}-of-00002.parquet"));
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    let shard = std::fs::File::open(desk.path().join("set").join(&expected[0])).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(shard).unwrap();
    assert!(reader.schema().metadata().contains_key("huggingface"));
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let images = batch.column_by_name("image").unwrap();
    let images = images
        .as_any()
        .downcast_ref::<arrow_array::StructArray>()
        .unwrap();
    let bytes = images.column(0).as_any();
    let bytes = bytes.downcast_ref::<arrow_array::BinaryArray>().unwrap();
    assert_eq!(bytes.value(0), icon(&desk, "가"));
    assert_eq!(bytes.value(1), icon(&desk, "나"));
}

#[test]
fn a_tar_has_image_text_and_record_under_one_key() {
    let desk = labeled(&["가", "나", "다"]);
    export(&desk, "webdataset", &["--shard-size", "2"]).expect(0);
    let set = desk.path().join("set/train");
    let sizes: Value =
        serde_json::from_slice(&std::fs::read(set.join("sizes.json")).unwrap()).unwrap();
    assert_eq!(sizes, json!({ "00000.tar": 2, "00001.tar": 1 }));
    let mut tar = tar::Archive::new(std::fs::File::open(set.join("00000.tar")).unwrap());
    let mut members = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        members.push((name, bytes));
    }
    let (key, _) = members[0].0.split_once('.').unwrap();
    for (member, extension) in members.iter().zip(["png", "txt", "json"]) {
        assert_eq!(member.0, format!("{key}.{extension}"));
    }
    assert_eq!(members[0].1, icon(&desk, "가"));
    assert_eq!(
        members[1].1,
        good("가")["label_ko"].as_str().unwrap().as_bytes()
    );
    let about: Value = serde_json::from_slice(&members[2].1).unwrap();
    assert_eq!(about["item_name"], "가");
}

#[test]
fn a_table_has_a_row_for_each_caption_and_paths_that_lead_to_the_images() {
    let desk = labeled(&["쉼표, 모자"]);
    export(&desk, "csv", &["--captions", "label,queries"]).expect(0);
    let text = std::fs::read_to_string(desk.path().join("set/train.csv")).unwrap();
    let icon = desk.source("쉼표, 모자.png");
    let icon = icon.canonicalize().unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows[0], "filepath,title");
    assert_eq!(rows.len(), 5);
    let label = "붉은 천으로 지은 단정한 쉼표, 모자";
    assert_eq!(rows[1], format!("\"{}\",\"{label}\"", icon.display()));
    let copied = ["--replace", "--copy-images", "--paths", "relative"];
    export(&desk, "tsv", &copied).expect(0);
    let text = std::fs::read_to_string(desk.path().join("set/train.tsv")).unwrap();
    let path = text.lines().nth(1).unwrap().split('\t').next().unwrap();
    assert!(path.starts_with("images/train/0000/"), "{path}");
    let card = std::fs::read_to_string(desk.path().join("set/README.md")).unwrap();
    assert!(card.contains("Paths are relative to this folder"), "{card}");
    let copy = std::fs::read(desk.path().join("set").join(path)).unwrap();
    assert_eq!(copy, std::fs::read(&icon).unwrap());
    assert!(!desk.path().join("set/train.csv").exists());
}

#[test]
fn sidecar_texts_are_beside_images_as_the_model_saw_them() {
    let desk = labeled(&["가"]);
    let args = ["--flatten", "black", "--upscale", "4"];
    export(&desk, "sidecar", &args).expect(0);
    let found = files(&desk.path().join("set"));
    let (png, txt) = (found.keys().next().unwrap(), found.keys().nth(1).unwrap());
    assert_eq!(png.trim_end_matches("png"), txt.trim_end_matches("txt"));
    let picture = image::load_from_memory(&found[png]).unwrap();
    assert_eq!((picture.width(), picture.height()), (96, 96));
    assert!(!picture.color().has_alpha());
}

#[test]
fn a_record_has_the_hash_of_the_image_that_was_written() {
    let desk = labeled(&["가"]);
    export(&desk, "imagefolder", &["--flatten", "white"]).expect(0);
    let folder = desk.path().join("set/train");
    let row = &lines(&folder.join("metadata.jsonl"))[0];
    let image = std::fs::read(folder.join(row["file_name"].as_str().unwrap())).unwrap();
    assert_ne!(row["image_sha256"], desk.record("가")["image_sha256"]);
    assert_eq!(row["image_sha256"], labeler_tui::icon::sha256(&image));
}

#[test]
fn jsonl_lines_have_the_record_with_its_captions() {
    let desk = labeled(&["가"]);
    export(&desk, "jsonl", &["--paths", "relative"]).expect(0);
    let rows = lines(&desk.path().join("set/train.jsonl"));
    let mut record = desk.record("가");
    record["image_path"] = "../source/가.png".into();
    record["captions"] = json!([record["label_ko"]]);
    assert_eq!(rows, [record]);
}

#[test]
fn a_dataset_can_be_a_source() {
    let mut desk = Desk::with_icons(&["가", "나", "다"]);
    desk.otherwise(&[say(good("것"))]);
    desk.batch(&[]).expect(0);
    let hashes = |folder: &str| {
        let records = lines(&desk.path().join(folder).join("labels.jsonl"));
        let mut all: Vec<(String, String)> = records
            .iter()
            .map(|record| {
                let text = |key: &str| record[key].as_str().unwrap().to_owned();
                (text("image_sha256"), text("item_name"))
            })
            .collect();
        all.sort();
        all
    };
    let before = hashes("out");
    for (format, source, keeps_names) in [
        ("imagefolder", "--input", true),
        ("parquet-images", "--input", true),
        ("webdataset", "--input", true),
        ("jsonl", "--input", true),
        ("csv", "--input", false),
        ("tsv", "--input", false),
        ("sidecar", "--images", false),
    ] {
        let args = ["--shard-size", "2", "--replace"];
        export(&desk, format, &args).expect(0);
        let outdir = format!("of-{format}");
        let args = ["--batch", source, "set", "--outdir", &outdir];
        ended(&mut desk.command(&args)).expect(0);
        let again = hashes(&outdir);
        if keeps_names {
            assert_eq!(again, before, "{format}");
        }
        let images = |all: &[(String, String)]| -> Vec<String> {
            all.iter().map(|(hash, _)| hash.clone()).collect()
        };
        assert_eq!(images(&again), images(&before), "{format}");
        // Images in shards can be exported again.
        let args = [
            "export",
            "--outdir",
            &outdir,
            "--to",
            "twice",
            "--format",
            "webdataset",
            "--replace",
        ];
        ended(&mut desk.plain(&args)).expect(0);
    }
}

#[test]
fn finished_files_are_kept_and_another_export_is_not_replaced_without_the_flag() {
    let desk = labeled(&["가", "나", "다"]);
    let shards = ["--shard-size", "1"];
    export(&desk, "webdataset", &shards).expect(0);
    let set = desk.path().join("set");
    let complete = files(&set);
    // As an interrupted run leaves it: the last shard is missing, and its temporary file is cut
    // off.
    std::fs::remove_file(set.join("train/00002.tar")).unwrap();
    std::fs::write(set.join("train/.00002.tar.abcdefgh.tmp"), "half").unwrap();
    std::fs::write(set.join("train/00000.tar"), "kept").unwrap();
    let again = export(&desk, "webdataset", &shards).expect(0);
    assert!(
        again.out.contains("3 files from an earlier run kept"),
        "{}",
        again.out
    );
    let mut resumed = files(&set);
    assert_eq!(
        resumed.insert(
            "train/00000.tar".to_owned(),
            complete["train/00000.tar"].clone()
        ),
        Some(b"kept".to_vec())
    );
    assert_eq!(resumed, complete);
    let refused = export(&desk, "csv", &[]).expect(2);
    assert!(
        refused.err.contains("holds another export"),
        "{}",
        refused.err
    );
    assert_eq!(files(&set).len(), complete.len());
    export(&desk, "csv", &["--replace"]).expect(0);
    assert_eq!(files(&set).len(), 1);
    assert!(!set.join("train").exists());
    std::fs::create_dir(desk.path().join("mine")).unwrap();
    std::fs::write(desk.path().join("mine/precious"), "").unwrap();
    let mut args = vec![
        "export",
        "--outdir",
        "out",
        "--to",
        "mine",
        "--format",
        "csv",
        "--replace",
    ];
    let refused = ended(&mut desk.plain(&args)).expect(2);
    assert!(refused.err.contains("is not empty"), "{}", refused.err);
    args[4] = "out";
    ended(&mut desk.plain(&args)).expect(2);
}

#[test]
fn replacing_an_export_keeps_other_files_in_its_folders() {
    let desk = labeled(&["가"]);
    export(&desk, "sidecar", &[]).expect(0);
    let folder = desk.path().join("set/train/0000");
    std::fs::write(folder.join("mine.txt"), "").unwrap();
    export(&desk, "csv", &["--replace"]).expect(0);
    let left: Vec<String> = files(&desk.path().join("set")).into_keys().collect();
    assert_eq!(left, ["train.csv", "train/0000/mine.txt"]);
}

#[test]
fn a_folder_with_a_foreign_file_gets_its_images_again() {
    let desk = labeled(&["가", "나"]);
    for format in ["imagefolder", "sidecar"] {
        export(&desk, format, &["--replace"]).expect(0);
        let complete = files(&desk.path().join("set"));
        let foreign = desk.path().join("set/train/0000/.DS_Store");
        std::fs::write(&foreign, "view").unwrap();
        export(&desk, "csv", &["--replace"]).expect(0);
        let again = export(&desk, format, &["--replace"]).expect(0);
        assert!(!again.out.contains("kept"), "{}", again.out);
        let mut found = files(&desk.path().join("set"));
        let kept = found.remove("train/0000/.DS_Store");
        assert_eq!(kept.unwrap(), b"view");
        assert_eq!(found, complete);
        std::fs::remove_file(foreign).unwrap();
    }
}

#[test]
fn a_complete_export_is_repaired_and_replaced() {
    let desk = labeled(&["가", "나", "다"]);
    let args = ["--shard-size", "2"];
    export(&desk, "imagefolder", &args).expect(0);
    let complete = files(&desk.path().join("set"));
    let image = |at: usize| {
        desk.path()
            .join("set")
            .join(complete.keys().nth(at).unwrap())
    };
    // A missing file is noticed, one that has changed is not.
    std::fs::remove_file(image(0)).unwrap();
    let again = export(&desk, "imagefolder", &args).expect(0);
    assert!(
        again.out.contains("2 files from an earlier run kept"),
        "{}",
        again.out
    );
    assert_eq!(files(&desk.path().join("set")), complete);
    std::fs::write(image(0), "changed").unwrap();
    let replaced = ["--shard-size", "2", "--replace"];
    let again = export(&desk, "imagefolder", &replaced).expect(0);
    assert!(!again.out.contains("kept"), "{}", again.out);
    assert_eq!(files(&desk.path().join("set")), complete);
}

#[test]
fn two_exports_do_not_write_to_one_folder() {
    let desk = labeled(&["가"]);
    export(&desk, "sidecar", &[]).expect(0);
    let set = desk.path().join("set");
    let before = common::files(&set);
    let path = set.join(".export.lock");
    let other = labeler_tui::store::Lock::take_removable(&path, "").unwrap();
    let refused = export(&desk, "csv", &["--replace"]).expect(1);
    let holder = format!("set is in use by process {}", std::process::id());
    assert!(refused.err.contains(&holder), "{}", refused.err);
    assert!(refused.err.contains("another --to"), "{}", refused.err);
    drop(other);
    let mut after = common::files(&set);
    // As a killed export leaves it.
    assert!(after.remove(".export.lock").is_some());
    assert_eq!(after, before);
    let half = set.join("train/.export-train-0000.Ab12Cd");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("half.png"), "").unwrap();
    export(&desk, "csv", &["--replace"]).expect(0);
    let left: Vec<String> = files(&set).into_keys().collect();
    assert_eq!(left, ["train.csv"]);
    assert!(!set.join("train").exists());
}

#[test]
fn an_export_that_fails_at_once_leaves_nothing_behind() {
    let desk = labeled(&["가"]);
    export(&desk, "webdataset", &[]).expect(0);
    let args = ["--batch", "--input", "set", "--outdir", "of-tars"];
    ended(&mut desk.command(&args)).expect(0);
    let csv = |more: &[&str]| {
        let mut args = vec![
            "export", "--outdir", "of-tars", "--to", "table", "--format", "csv",
        ];
        args.extend(more);
        ended(&mut desk.plain(&args))
    };
    let refused = csv(&[]).expect(2);
    assert!(refused.err.contains("--copy-images"), "{}", refused.err);
    assert!(!desk.path().join("table").exists());
    csv(&["--copy-images"]).expect(0);
    let before = common::files(&desk.path().join("table"));
    csv(&["--replace"]).expect(2);
    assert_eq!(common::files(&desk.path().join("table")), before);
}

#[test]
fn paths_lead_to_the_images_of_a_relative_folder() {
    let desk = labeled(&["가"]);
    for paths in ["absolute", "relative"] {
        let args = ["--images", "source", "--paths", paths, "--replace"];
        export(&desk, "csv", &args).expect(0);
        let table = std::fs::read_to_string(desk.path().join("set/train.csv")).unwrap();
        let path = table.lines().nth(1).unwrap().split(',').next().unwrap();
        let found = desk.path().join("set").join(path);
        assert!(found.is_file(), "{paths}: {path}");
    }
}

#[cfg(unix)]
#[test]
fn replacing_an_export_does_not_follow_links() {
    let desk = labeled(&["가"]);
    export(&desk, "csv", &[]).expect(0);
    let outside = desk.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("precious"), "").unwrap();
    let set = desk.path().join("set");
    std::os::unix::fs::symlink(&outside, set.join("link")).unwrap();
    let state = set.join("export.json");
    let mut listed: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    listed["files"] = json!(["link/precious", "train.csv"]);
    std::fs::write(&state, listed.to_string()).unwrap();
    export(&desk, "jsonl", &["--replace"]).expect(0);
    assert!(outside.join("precious").exists());
}

#[cfg(unix)]
#[test]
fn links_and_foreign_files_in_the_way_of_an_export_are_refused() {
    let desk = labeled(&["가"]);
    let set = desk.path().join("set");
    export(&desk, "csv", &[]).expect(0);
    std::os::unix::fs::symlink(desk.path(), set.join("train")).unwrap();
    let refused = export(&desk, "imagefolder", &["--replace"]).expect(2).err;
    assert!(refused.contains("something else is at"), "{refused}");
    std::fs::write(set.join("train.jsonl"), "mine").unwrap();
    export(&desk, "jsonl", &["--replace"]).expect(2);
    assert_eq!(std::fs::read(set.join("train.jsonl")).unwrap(), b"mine");
    assert!(set.join("train.csv").exists());
}

#[test]
fn records_whose_image_is_gone_or_changed_are_left_out_and_listed() {
    let desk = labeled(&["가", "나", "다"]);
    std::fs::remove_file(desk.source("가.png")).unwrap();
    std::fs::copy(desk.source("나.png"), desk.source("다.png")).unwrap();
    let exported = export(&desk, "imagefolder", &[]).expect(3);
    assert!(
        exported.out.starts_with("1 image in set"),
        "{}",
        exported.out
    );
    assert!(
        exported
            .out
            .contains("missing; --images DIR says where it is now: 가.png"),
        "{}",
        exported.out
    );
    assert!(
        exported
            .out
            .contains("not the one that was labeled: 다.png"),
        "{}",
        exported.out
    );
}

/// A folder of icons that can be in different splits, since copies of one drawing stay together.
fn cards(count: usize) -> Desk {
    let names: Vec<String> = (0..count).map(|n| format!("모자 {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let desk = Desk::with_icons(&names);
    for (n, name) in names.iter().enumerate() {
        let card = image::RgbaImage::from_fn(24, 24, |x, y| {
            let place = n as u32 * 36 + x / 4 * 6 + y / 4;
            let mixed = (place + 1).wrapping_mul(0x9e37_79b1);
            let is_light = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b) >> 31 == 0;
            image::Rgba([if is_light { 230 } else { 200 }, 30, 35, 255])
        });
        card.save(desk.source(&format!("{name}.png"))).unwrap();
    }
    desk
}

#[test]
fn splits_of_an_image_folder_have_columns_of_the_same_types() {
    let desk = cards(12);
    desk.batch(&[]).expect(0);
    let split = ["--split", "train=0.5,test=0.5", "--shard-size", "2"];
    export(&desk, "imagefolder", &split).expect(0);
    let rows = |split: &str| {
        let folder = desk.path().join("set").join(split);
        assert!(!folder.join("metadata.jsonl").exists());
        let metadata = std::fs::File::open(folder.join("metadata.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(metadata).unwrap();
        let schema = reader.schema().clone();
        let batch = reader.build().unwrap().next().unwrap().unwrap();
        let names = batch.column_by_name("file_name").unwrap().as_any();
        let names = names.downcast_ref::<arrow_array::StringArray>().unwrap();
        for name in names.iter().flatten() {
            assert!(folder.join(name).is_file(), "{name}");
        }
        (schema, batch.num_rows())
    };
    let ((train, of_train), (test, of_test)) = (rows("train"), rows("test"));
    assert_eq!(train, test);
    assert_eq!(of_train + of_test, 12);
    // No record has a reason.
    let flags = train.field_with_name("quality_flags").unwrap().to_string();
    assert!(
        flags.contains("reasons") && !flags.contains("Null"),
        "{flags}"
    );
    // The export is a source like any other.
    let args = ["--batch", "--input", "set", "--outdir", "again"];
    ended(&mut desk.command(&args)).expect(0);
    assert_eq!(lines(&desk.path().join("again/labels.jsonl")).len(), 12);
}

#[test]
fn a_filter_selects_the_records_that_are_split() {
    let mut desk = cards(60);
    let mut blue = good("파란 모자");
    blue["attributes"]["colors"] = json!(["blue"]);
    desk.icon("파란 모자");
    desk.plays("파란 모자", &[say(blue)]);
    desk.batch(&[]).expect(0);
    let args = [
        "--split",
        "train=0.8,test=0.2",
        "--filter",
        "-reason:color_mismatch",
    ];
    let exported = export(&desk, "jsonl", &args).expect(0);
    let train = lines(&desk.path().join("set/train.jsonl"));
    let test = lines(&desk.path().join("set/test.jsonl"));
    assert_eq!(train.len() + test.len(), 60, "{}", exported.out);
    assert!((10..=14).contains(&test.len()), "{}", test.len());
    let card = std::fs::read_to_string(desk.path().join("set/README.md")).unwrap();
    assert!(
        card.contains("Only records that match `-reason:color_mismatch`."),
        "{card}"
    );
    let wrong = ["--replace", "--filter", "hue:red"];
    export(&desk, "jsonl", &wrong).expect(2);
}

#[test]
fn a_filter_is_about_the_committed_text() {
    let desk = labeled(&["가", "나"]);
    let vocabulary = Arc::new(Vocabulary::builtin().unwrap());
    let mut journal = Journal::lock(&desk.out(""), vocabulary).unwrap();
    let id = journal.summaries().unwrap()[0].id;
    let edit = Change::Set {
        field: Field::Colors,
        values: vec!["blue".to_owned()],
    };
    journal.apply(&[id], &edit, "step").unwrap();
    drop(journal);
    let blue = ["--filter", "color:blue"];
    let refused = export(&desk, "jsonl", &blue).expect(2);
    assert!(refused.err.contains("nothing to export"), "{}", refused.err);
    export(&desk, "jsonl", &["--filter", "color:red"]).expect(0);
    let rows = lines(&desk.path().join("set/train.jsonl"));
    let colors = rows.iter().map(|row| &row["attributes"]["colors"]);
    assert_eq!(colors.collect::<Vec<_>>(), [&json!(["red"]); 2]);
}

#[test]
fn an_outdir_without_a_journal_is_not_exported() {
    let desk = Desk::new();
    let refused = export(&desk, "csv", &[]).expect(1);
    assert!(
        refused.err.contains("no journal.sqlite in out"),
        "{}",
        refused.err
    );
    assert!(!desk.path().join("set").exists());
}

#[test]
fn an_export_that_was_killed_at_its_beginning_resumes() {
    let desk = labeled(&["가"]);
    std::fs::create_dir(desk.path().join("set")).unwrap();
    let half = desk.path().join("set/.export.json.Ab12Cd34.tmp");
    std::fs::write(&half, "{\"prog").unwrap();
    export(&desk, "jsonl", &[]).expect(0);
    assert!(!half.exists());
    std::fs::remove_dir_all(desk.path().join("set")).unwrap();
    // A file of another program is not removed.
    std::fs::create_dir(desk.path().join("set")).unwrap();
    std::fs::write(desk.path().join("set/.export.json.mine.tmp"), "").unwrap();
    export(&desk, "jsonl", &[]).expect(2);
}
