//! Tests of image folders.

use super::*;
use crate::source::options::NameSource;

fn images(dir: &Path) -> SourceOptions {
    options(SourceKind::Folder(dir.to_owned()))
}

fn paths(read: &Read) -> Vec<&str> {
    read.items
        .iter()
        .map(|item| item.image_path.as_str())
        .collect()
}

#[test]
fn images_of_a_folder_are_sorted_by_name() {
    let dir = folder(&[
        ("b.PNG", b"x"),
        ("a.webp", b"x"),
        ("\u{1106}\u{1169}\u{110c}\u{1161}.png", b"x"),
        ("notes.md", b"x"),
        (".hidden.png", b"x"),
        ("._a.png", b"x"),
        (".thumbnails/d.png", b"x"),
        ("bell\u{7}.png", b"x"),
        ("inner/deep/c.png", b"x"),
    ]);
    let mut options = images(dir.path());
    let all = read(&options).unwrap();
    assert_eq!(all.names(), ["a", "b", "c", "모자"]);
    assert_eq!(all.items[2].image_path, "inner/deep/c.png");
    assert_eq!(all.items[0].source_type.as_str(), "equipment_shape");
    assert_eq!(all.items[0].file, Some(dir.path().join("a.webp").into()));
    assert_eq!(all.warnings.len(), 1);
    assert!(
        all.warnings[0].contains("control characters"),
        "{:?}",
        all.warnings
    );
    options.only = OnlySource::Cash;
    assert!(read(&options).unwrap().items.is_empty());
    options.mapping.source_type = Some(crate::record::SourceType::Cash);
    assert_eq!(read(&options).unwrap().items.len(), 4);
}

#[test]
fn a_folder_without_images_is_refused() {
    let dir = folder(&[("inner/c.txt", b"x")]);
    let error = open(&images(dir.path())).unwrap_err();
    assert!(error.cause.contains("contains no images"), "{error}");
    let error = open(&images(&dir.path().join("nowhere"))).unwrap_err();
    assert!(error.cause.contains("nowhere"), "{error}");
}

#[test]
fn cyclic_links_end_and_no_folder_is_read_twice() {
    let dir = folder(&[("a/one.png", b"x"), ("b/two.png", b"x")]);
    let link = |to: &str, at: &str| {
        std::os::unix::fs::symlink(dir.path().join(to), dir.path().join(at)).unwrap();
    };
    link("", "a/up");
    link("b", "a/b");
    link("nowhere.png", "z.png");
    let read = read(&images(dir.path())).unwrap();
    // A linked folder is read under its first path. The image of a dangling link is missing later.
    assert_eq!(paths(&read), ["a/b/two.png", "a/one.png", "z.png"]);
}

#[test]
fn names_come_from_the_file_or_the_text_beside_it() {
    let dir = folder(&[
        ("IMG_0001.png", b"x"),
        ("달빛 망토.png", b"x"),
        ("d41d8cd98f00b204e9800998ecf8427e.png", b"x"),
        (
            "d41d8cd98f00b204e9800998ecf8427e.txt",
            "붉은 모자\r\nmore".as_bytes(),
        ),
        ("blank.png", b"x"),
        ("blank.txt", b" \n"),
    ]);
    let names = |names: NameSource| {
        let mut options = images(dir.path());
        options.mapping.names = names;
        let read = read(&options).unwrap();
        let items = read.items.into_iter();
        items.map(|item| item.item_name).collect::<Vec<_>>()
    };
    assert_eq!(
        names(NameSource::Auto),
        ["", "blank", "붉은 모자", "달빛 망토"]
    );
    // A counter or a hash is no name, so it is never forced into a label.
    assert_eq!(names(NameSource::Stem), ["", "blank", "", "달빛 망토"]);
    assert_eq!(names(NameSource::Sidecar), ["붉은 모자"]);
    assert_eq!(names(NameSource::None), [""; 4]);
}

/// The header of a journal of ours.
fn journal() -> Vec<u8> {
    let mut header = b"SQLite format 3\0".to_vec();
    header.resize(68, 0);
    header.extend(0x4c54_5549_u32.to_be_bytes());
    header
}

#[test]
fn a_scan_skips_what_this_program_wrote_and_says_so_once() {
    let journal = journal();
    let row = |name: &str| {
        let row = serde_json::json!({
            "image_path": "a.png", "item_name": name, "source_type": "cash",
        });
        format!("{row}\n").into_bytes()
    };
    let (mine, written) = (row("mine"), row("written"));
    let dir = folder(&[
        ("a.png", b"x"),
        ("rows.jsonl", &mine),
        ("out/b.png", b"x"),
        ("out/labels.jsonl", &written),
        ("earlier/c.png", b"x"),
        ("earlier/labels.jsonl", &written),
        ("earlier/journal.sqlite", &journal),
        ("dataset/images/d.png", b"x"),
        ("dataset/metadata.jsonl", &written),
        (
            "dataset/export.json",
            br#"{"program": "labeler-tui 0.1.0"}"#,
        ),
        ("foreign/e.png", b"x"),
        ("foreign/export.json", br#"{"program": "another"}"#),
        ("foreign/journal.sqlite", b"text"),
    ]);
    let mut options = images(dir.path());
    options.outdir = Some(dir.path().join("out"));
    let skipped = "skipped dataset, earlier, out, written by labeler-tui";
    let all = read(&options).unwrap();
    assert_eq!(paths(&all), ["a.png", "foreign/e.png"]);
    assert_eq!(
        all.warnings,
        [format!("{}: {skipped}", dir.path().display())]
    );
    options.kind = SourceKind::Manifest(dir.path().to_owned());
    let all = read(&options).unwrap();
    assert_eq!(all.names(), ["mine"]);
    assert_eq!(
        all.warnings,
        [format!("{}: {skipped}", dir.path().display())]
    );
    // A folder that is named itself is read.
    assert_eq!(
        paths(&read(&images(&dir.path().join("dataset"))).unwrap()),
        ["images/d.png"]
    );
    let only = folder(&[
        ("earlier/c.png", b"x"),
        ("earlier/journal.sqlite", &journal),
    ]);
    let error = open(&images(only.path())).unwrap_err();
    assert!(error.hint.unwrap().contains("labeler-tui wrote"));
}

#[test]
fn our_files_in_a_folder_that_is_its_own_outdir_are_not_read() {
    let journal = journal();
    let row = br#"{"image_path": "a.png", "item_name": "mine", "source_type": "cash"}"#;
    let files: [(&str, &[u8]); 7] = [
        ("rows.jsonl", row),
        ("labels.jsonl", b"{}"),
        ("labels_errors.jsonl", b"{}"),
        ("labels_kept.jsonl", b"{}"),
        ("labels_unread_kept-2.jsonl", b"{}"),
        ("labels.parquet", b"{}"),
        ("inner/labels.jsonl", row),
    ];
    let dir = folder(&files);
    let mut options = manifest_at(dir.path());
    options.outdir = Some(dir.path().to_owned());
    let all = read(&options).unwrap();
    assert_eq!(all.names(), ["mine", "mine"]);
    assert_eq!(all.warnings.len(), 1);
    assert!(
        all.warnings[0].contains("2 more paths"),
        "{:?}",
        all.warnings
    );
    // The outdir of an earlier run.
    fs::write(dir.path().join("journal.sqlite"), journal).unwrap();
    options.outdir = None;
    assert_eq!(read(&options).unwrap().names(), ["mine", "mine"]);
}

#[test]
fn a_pipe_beside_an_image_is_no_text_and_is_not_opened() {
    let dir = folder(&[("000.png", b"x"), ("001.png", b"x")]);
    let made = std::process::Command::new("mkfifo")
        .arg(dir.path().join("000.txt"))
        .status();
    assert!(made.unwrap().success());
    // Reading it would wait for the kernel to print something.
    std::os::unix::fs::symlink("/proc/kmsg", dir.path().join("001.txt")).unwrap();
    assert_eq!(read(&images(dir.path())).unwrap().names(), ["", ""]);
}
