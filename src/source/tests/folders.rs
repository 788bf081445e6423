//! Tests of image folders.

use super::*;
use crate::settings::Names;

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
    let names = |names: Names| {
        let mut options = images(dir.path());
        options.mapping.names = names;
        let read = read(&options).unwrap();
        let items = read.items.into_iter();
        items.map(|item| item.item_name).collect::<Vec<_>>()
    };
    assert_eq!(names(Names::Auto), ["", "blank", "붉은 모자", "달빛 망토"]);
    // A counter or a hash is no name, so it is never forced into a label.
    assert_eq!(names(Names::Stem), ["", "blank", "", "달빛 망토"]);
    assert_eq!(names(Names::Sidecar), ["붉은 모자"]);
    assert_eq!(names(Names::None), [""; 4]);
}
