//! Tests of tables, datasets of other programs, and embedded images.

use super::manifests::{ROW, parquet_bytes, strings};
use super::*;
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{BrotliLevel, Compression, GzipLevel};
use ::parquet::file::properties::WriterProperties;
use arrow_array::{ArrayRef, BinaryArray, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use std::io::Write as _;
use std::sync::Arc;

fn manifest(name: &str, bytes: &[u8]) -> (TempDir, SourceOptions) {
    let dir = folder(&[(name, bytes)]);
    let options = manifest_at(dir.path().join(name));
    (dir, options)
}

fn read_as(name: &str, bytes: &[u8]) -> Read {
    let (_dir, options) = manifest(name, bytes);
    read(&options).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn tables_with_a_header_are_read() {
    let table = "image_path,item_name,source_type,item_description,ranking\r\n\
                 a.png,\"모자, \"\"붉은\"\"\",cash,\"둘째\n줄\",3\r\n\
                 b.png,,cash,,\r\n\
                 c.png,칼,equipment_shape\r\n";
    let marked = format!("\u{feff}{table}");
    let tabs = table.replace("모자, ", "모자 ").replace(',', "\t");
    for (name, bytes) in [
        ("m.csv", marked.as_bytes().to_vec()),
        ("m.csv.gz", gzip(table.as_bytes())),
        ("m.tsv", tabs.into_bytes()),
        ("m.csv", encoding_rs::EUC_KR.encode(table).0.into_owned()),
    ] {
        let read = read_as(name, &bytes);
        assert_eq!(read.items.len(), 2, "{name} {:?}", read.warnings);
        assert!(read.items[0].item_name.ends_with("\"붉은\""));
        assert_eq!(read.items[0].item_description.as_deref(), Some("둘째\n줄"));
        assert_eq!(read.items[0].ranking, Some(3));
        assert_eq!(read.items[1].source_type.as_str(), "equipment_shape");
        let refused = read
            .warnings
            .iter()
            .find(|warning| warning.contains(" row 3: "));
        assert!(refused.unwrap().ends_with("item_name is missing"));
    }
}

#[test]
fn the_error_for_a_table_names_its_missing_columns() {
    let (_dir, options) = manifest("m.csv", b"picture,what\na.png,x\n");
    let error = open(&options).unwrap_err();
    assert!(error.cause.ends_with("image_path, item_name"), "{error}");
    assert!(error.hint.unwrap().contains("picture, what"));
    let mut mapped = options;
    mapped.mapping.image_column = Some("picture".to_owned());
    mapped.mapping.name_column = Some("what".to_owned());
    let read = read(&mapped).unwrap();
    assert_eq!(read.items[0].image_path, "a.png");
    assert_eq!(read.names(), ["x"]);
    assert_eq!(read.items[0].source_type.as_str(), "equipment_shape");
}

#[test]
fn an_unclosed_quotation_mark_does_not_exhaust_memory() {
    let rest = "b.png,칼,cash\n".repeat(200_000);
    let table = format!("image_path,item_name,source_type\na.png,\"모자,cash\n{rest}");
    let (_dir, options) = manifest("m.csv", table.as_bytes());
    let error = read(&options).unwrap_err();
    assert!(error.cause.contains("a row is longer than"), "{error}");
}

#[test]
fn no_row_disappears_into_an_unclosed_quotation_mark() {
    for (rest, names) in [
        // The file ends inside the field.
        ("c.png,반지,cash,\nd.png,옷,cash,\n", vec!["모자"]),
        // The mark of a later field closes it.
        (
            "c.png,반지,cash,\"붉은 보석\"\nd.png,옷,cash,\n",
            vec!["모자"],
        ),
    ] {
        let table = format!(
            "image_path,item_name,source_type,item_description\n\
             a.png,모자,cash,\"둘째\n줄\"\nb.png,칼,cash,\"설명\n{rest}"
        );
        let (_dir, options) = manifest("m.csv", table.as_bytes());
        let mut found = Vec::new();
        let error = open(&options)
            .unwrap()
            .read(&mut |event| {
                if let RowEvent::Item(row) = event {
                    found.push(row.item.item_name);
                }
                ControlFlow::Continue(())
            })
            .unwrap_err();
        let cause = "the quotation mark opened in line 4 is not closed";
        assert!(error.cause.contains(cause), "{error}");
        assert_eq!(found, names);
    }
    // Marks within one line are read leniently.
    let (_dir, options) = manifest(
        "m.csv",
        "image_path,item_name,source_type\na.png,\"큰\" 모자,cash\nb.png,5\" 칼,cash\n".as_bytes(),
    );
    assert_eq!(read(&options).unwrap().names(), ["큰 모자", "5\" 칼"]);
}

#[test]
fn columns_can_be_mapped_in_every_format() {
    let json = r#"{"icon":"a.png","title":"no","label":"모자"}"#;
    let table = parquet_bytes(vec![
        ("icon", strings([Some("a.png")])),
        ("title", strings([Some("no")])),
        ("label", strings([Some("모자")])),
    ]);
    for (name, bytes) in [
        ("m.ndjson", json.as_bytes().to_vec()),
        ("m.jsonl.gz", gzip(json.as_bytes())),
        ("m.json", format!("[{json}]").into_bytes()),
        (
            "m.csv",
            b"icon,title,label\na.png,no,\xeb\xaa\xa8\xec\x9e\x90\n".to_vec(),
        ),
        ("m.parquet", table),
    ] {
        let (_dir, mut options) = manifest(name, &bytes);
        options.mapping.image_column = Some("icon".to_owned());
        options.mapping.name_column = Some("label".to_owned());
        options.mapping.source_type = Some(crate::record::SourceType::Cash);
        let read = read(&options).unwrap();
        assert_eq!(read.names(), ["모자"], "{name}");
        assert_eq!(read.items[0].image_path, "a.png");
        assert_eq!(read.items[0].source_type.as_str(), "cash");
    }
}

#[test]
fn an_imagefolder_is_read_by_its_metadata() {
    let row = |file: &str, text: &str| format!(r#"{{"file_name":"{file}","text":"{text}","n":1}}"#);
    let dir = folder(&[
        ("train/metadata.jsonl", row("0000/a.png", "모자").as_bytes()),
        ("train/0000/a.png", b"a"),
        ("test/metadata.csv", "file_name,text\na.png,칼\n".as_bytes()),
        ("test/a.png", b"b"),
        ("other.jsonl", ROW.as_bytes()),
    ]);
    let all = read(&manifest_at(dir.path())).unwrap();
    assert_eq!(all.names(), ["칼", "모자"]);
    // Files of the same name in two splits are different images.
    assert_eq!(all.items[0].image_path, "test/a.png");
    assert_eq!(all.items[1].image_path, "train/0000/a.png");
    let file = all.items[1].file.as_ref().unwrap();
    assert_eq!(image_bytes(file).unwrap().as_ref(), b"a");
    // Paths of a split opened directly are relative to its own folder.
    let one = read(&manifest_at(dir.path().join("train/metadata.jsonl"))).unwrap();
    assert_eq!(one.items[0].image_path, "0000/a.png");
    assert_eq!(one.items[0].source_type.as_str(), "equipment_shape");
}

#[test]
fn a_folder_of_parquet_parts_is_one_table() {
    let part = |name: &str| {
        parquet_bytes(vec![
            ("image_path", strings([Some("icons/a.png")])),
            ("item_name", strings([Some(name)])),
            ("source_type", strings([Some("cash")])),
        ])
    };
    let dir = folder(&[
        ("m.parquet/part-00001.snappy.parquet", &part("칼")),
        ("m.parquet/part-00000.snappy.parquet", &part("모자")),
        ("m.parquet/_SUCCESS", b""),
        ("m.parquet/.part-00000.crc", b"x"),
    ]);
    let read = read(&manifest_at(dir.path().join("m.parquet"))).unwrap();
    assert_eq!(read.names(), ["모자", "칼"]);
    // Its paths are relative to the parent, as for a file of that name.
    let file = read.items[0].file.as_ref().unwrap().own_file();
    assert_eq!(file, Some(dir.path().join("icons/a.png").as_path()));
    let error = open(&manifest_at(folder(&[("a.png", b"x")]).path())).unwrap_err();
    assert!(error.hint.unwrap().contains("--images"));
}

/// A Parquet file of images as in Hugging Face datasets, with `group` rows per row group.
fn image_table(
    images: &[(Option<Vec<u8>>, Option<&str>)],
    group: usize,
    codec: Compression,
) -> Vec<u8> {
    let bytes: BinaryArray = images.iter().map(|(bytes, _)| bytes.as_deref()).collect();
    let paths: StringArray = images.iter().map(|(_, path)| *path).collect();
    let fields = vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ];
    let columns: Vec<ArrayRef> = vec![Arc::new(bytes), Arc::new(paths)];
    let structs = StructArray::try_new(fields.into(), columns, None).unwrap();
    let names: StringArray = (0..images.len())
        .map(|n| Some(format!("이름 {n}")))
        .collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("label", Arc::new(names.clone()) as ArrayRef, true),
        ("picture", Arc::new(structs) as ArrayRef, true),
        ("text", Arc::new(names) as ArrayRef, true),
    ])
    .unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_compression(codec)
        .build();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

/// Path, name and bytes of an image.
type Found = (String, String, Vec<u8>);

/// Reads all groups and warnings of a source.
fn groups(options: &SourceOptions) -> (Vec<Found>, Vec<String>) {
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    group(open(options).unwrap(), None, &mut |event| {
        match event {
            GroupEvent::New(new) => {
                let bytes = image_bytes(new.item.file.as_ref().unwrap()).unwrap();
                assert_eq!(new.sha256, Some(crate::source::tests::sha256(&bytes)));
                found.push((new.item.image_path, new.item.item_name, bytes.into_owned()));
            }
            GroupEvent::Warning(said) | GroupEvent::Locked(said) => {
                warnings.push(crate::source::tests::english(said))
            }
            GroupEvent::Name { .. } | GroupEvent::Path { .. } => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    (found, warnings)
}

#[test]
fn a_binary_column_of_paths_is_not_the_column_of_images() {
    let image = png(1);
    let bytes = |value: &[u8]| Arc::new(BinaryArray::from_vec(vec![value])) as ArrayRef;
    let table = parquet_bytes(vec![
        ("image_path", bytes(b"a/b.png")),
        ("image", bytes(&image)),
        ("item_name", strings([Some("모자")])),
    ]);
    let (_dir, options) = manifest("m.parquet", &table);
    let found = ("a/b.png".to_owned(), "모자".to_owned(), image);
    assert_eq!(groups(&options), (vec![found], Vec::new()));
}

#[test]
fn images_in_parquet_are_read_in_place() {
    let images: Vec<_> = (0..25).map(png).collect();
    let rows: Vec<(Option<Vec<u8>>, Option<&str>)> = images
        .iter()
        .enumerate()
        .map(|(n, bytes)| {
            let path = match n {
                0 => Some("icons/first.png"),
                1 => None,
                _ => Some("image.png"),
            };
            (Some(bytes.clone()), path)
        })
        .chain([(Some(images[3].clone()), Some("again.png")), (None, None)])
        .collect();
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
    ] {
        let (_dir, options) = manifest("m.parquet", &image_table(&rows, 7, codec));
        let (found, warnings) = groups(&options);
        let bytes: Vec<&Vec<u8>> = found.iter().map(|(_, _, bytes)| bytes).collect();
        assert_eq!(bytes, images.iter().collect::<Vec<_>>());
        assert_eq!(found[0].0, "icons/first.png");
        assert_eq!(found[0].1, "이름 0");
        assert!(
            found[1].0.ends_with(".png") && found[1].0.len() == 20,
            "{}",
            found[1].0
        );
        // No two images get the same path, whatever the file declares.
        let paths: std::collections::HashSet<&String> = found.iter().map(|of| &of.0).collect();
        assert_eq!(paths.len(), images.len());
        assert_eq!(found[2].0, "image.png");
        assert!(found[3].0.starts_with("image-"));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("image_path is missing"),
            "{warnings:?}"
        );
    }
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = ::tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn webdataset_shards_are_read_in_place() {
    let long = format!("{}/c.jpg", "폴더".repeat(40));
    let (one, two, three) = (png(1), png(2), png(3));
    let json = r#"{"item_name":"칼","source_type":"cash","ranking":2}"#;
    let first = tar(&[
        ("a.txt", "모자\n둘째 줄".as_bytes()),
        ("a.png", &one),
        ("b.png", &two),
        ("b.json", json.as_bytes()),
        ("b.txt", "긴 설명".as_bytes()),
        ("readme", b"x"),
        ("c.cls", b"1"),
    ]);
    let second = tar(&[
        (&long, &three),
        (&long.replace(".jpg", ".txt"), b"hat"),
        ("d.png", &one),
    ]);
    let dir = folder(&[
        ("s/00000.tar", &first),
        ("s/00001.tar.gz", &gzip(&second)),
        ("s/sizes.json", b"{}"),
    ]);
    let (found, warnings) = groups(&manifest_at(dir.path().join("s")));
    assert_eq!(
        found,
        [
            ("a.png".to_owned(), "모자".to_owned(), one),
            ("b.png".to_owned(), "칼".to_owned(), two),
            (long, "hat".to_owned(), three),
        ]
    );
    // `d.png` has no name, not even from another row.
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].ends_with("00001.tar.gz d.png)"), "{warnings:?}");
    let broken = read(&manifest("m.tar", &first[..700]).1);
    assert!(broken.is_err());
}

// A run reads images in order; an operator does not.
#[test]
fn names_in_tar_attributes_are_read_and_huge_ones_are_refused() {
    let mut tar = ::tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let attributes = [("path", name.as_bytes()), ("mtime", b"1.5".as_slice())];
        tar.append_pax_extensions(attributes).unwrap();
        let mut header = ::tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, "short", bytes).unwrap();
    };
    add("아이콘/모자.png", &png(1));
    add("아이콘/모자.txt", "빨간 모자".as_bytes());
    let (_dir, options) = manifest("s.tar", &tar.into_inner().unwrap());
    let (found, _) = groups(&options);
    let expected = ("아이콘/모자.png", "빨간 모자");
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), expected);

    let mut header = ::tar::Header::new_gnu();
    header.set_entry_type(::tar::EntryType::GNULongName);
    header.set_size(2 << 20);
    let mut tar = ::tar::Builder::new(Vec::new());
    let name = vec![b'a'; 2 << 20];
    tar.append_data(&mut header, "long", &name[..]).unwrap();
    let (_dir, options) = manifest("s.tar", &tar.into_inner().unwrap());
    let error = read(&options).unwrap_err();
    assert!(error.cause.contains("2097152 bytes"), "{error}");
}

#[test]
fn compressed_shards_are_read_in_any_order() {
    let images: Vec<Vec<u8>> = (0..40).map(png).collect();
    let names: Vec<String> = (0..40).map(|at| format!("{at:02}.png")).collect();
    let texts: Vec<String> = (0..40).map(|at| format!("{at:02}.txt")).collect();
    let members: Vec<(&str, &[u8])> = (0..40)
        .flat_map(|at| {
            let image = (names[at].as_str(), images[at].as_slice());
            [image, (texts[at].as_str(), names[at].as_bytes())]
        })
        .collect();
    let bytes = gzip(&tar(&members));
    for name in ["s.tar.gz", "s.tgz"] {
        let (dir, options) = manifest(name, &bytes);
        let items = read(&options).unwrap().items;
        assert_eq!(items.len(), 40);
        let orders: [Vec<usize>; 3] = [
            (0..40).collect(),
            (0..40).rev().collect(),
            vec![7, 7, 30, 3],
        ];
        for at in orders.into_iter().flatten() {
            let item: &Item = &items[at];
            assert_eq!(item.item_name, names[at]);
            assert_eq!(
                image_bytes(item.file.as_ref().unwrap()).unwrap(),
                images[at]
            );
        }
        // A replaced file must not be read through the open one.
        fs::write(dir.path().join(name), gzip(&tar(&members[..4]))).unwrap();
        let gone = image_bytes(items[30].file.as_ref().unwrap()).unwrap_err();
        let why = gone.detail.to_string();
        assert!(why.contains("shorter"), "{why}");
        fs::write(dir.path().join(name), &bytes[..bytes.len() / 2]).unwrap();
        assert!(read(&options).is_err());
    }
}

#[test]
fn only_the_missing_images_of_a_changed_container_fail() {
    let rows = [(Some(png(1)), Some("a.png")), (Some(png(2)), Some("b.png"))];
    let bytes = image_table(&rows, 10, Compression::SNAPPY);
    let (dir, options) = manifest("m.parquet", &bytes);
    let items = read(&options).unwrap().items;
    let second = items[1].file.as_ref().unwrap();
    fs::write(
        dir.path().join("m.parquet"),
        image_table(&rows[..1], 10, Compression::SNAPPY),
    )
    .unwrap();
    let failure = image_bytes(second).unwrap_err();
    let why = failure.detail.to_string();
    assert!(why.contains("fewer rows"), "{why}");
    fs::remove_file(dir.path().join("m.parquet")).unwrap();
    let failure = image_bytes(second).unwrap_err();
    assert_eq!(failure.code, crate::record::FailureCode::MissingImage);
}
