//! Tests of grouping rows by image.

use super::*;
use crate::record::{FailureCode, FailureDetail};

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, Default)]
struct Grouped {
    new: Vec<SourceGroup>,
    names: Vec<(u64, String, bool)>,
    paths: Vec<(u64, String)>,
    warnings: Vec<String>,
}

fn grouped(options: &SourceOptions) -> (Grouped, Result<SourceEnd>) {
    let mut found = Grouped::default();
    let end = group(open(options).unwrap(), options.max_samples, &mut |event| {
        match event {
            GroupEvent::New(group) => found.new.push(*group),
            GroupEvent::Name {
                order,
                name,
                is_first,
            } => found.names.push((order, name, is_first)),
            GroupEvent::Path { order, path } => found.paths.push((order, path)),
            GroupEvent::Warning(warning) | GroupEvent::Locked(warning) => {
                found.warnings.push(crate::source::tests::english(warning))
            }
        }
        ControlFlow::Continue(())
    });
    (found, end)
}

fn row(path: &str, name: &str, claimed: Option<&str>) -> String {
    serde_json::json!({
        "image_path": path, "item_name": name, "source_type": "cash", "image_sha256": claimed,
    })
    .to_string()
}

fn manifest(rows: &[String], files: &[(&str, &[u8])]) -> (TempDir, SourceOptions) {
    let text = rows.join("\n");
    let dir = folder(files);
    fs::write(dir.path().join("m.jsonl"), text).unwrap();
    let options = manifest_at(dir.path().join("m.jsonl"));
    (dir, options)
}

#[test]
fn rows_are_grouped_by_content_and_by_path() {
    let (hat, cape) = (png(1), png(2));
    let hat_hash = sha256(&hat);
    let (_dir, options) = manifest(
        &[
            row("hat.png", "모자", Some(&hat_hash.to_uppercase())),
            row("cape.png", "망토", Some("beef")),
            row("copy.png", "검은 모자", None),
            row("hat.png", "모자", None),
            row("gone.png", "반지", None),
            row("hat.png", "흰 모자", None),
            row("copy.png", "흰 모자", None),
            row("cape.png", "망토", Some("beef")),
            row("gone.png", "은반지", None),
        ],
        &[("hat.png", &hat), ("cape.png", &cape), ("copy.png", &hat)],
    );
    let (found, end) = grouped(&options);
    let names: Vec<_> = found
        .new
        .iter()
        .map(|group| group.item.item_name.as_str())
        .collect();
    assert_eq!(names, ["모자", "망토", "반지"]);
    assert_eq!(found.new[0].sha256.as_deref(), Some(hat_hash.as_str()));
    assert_eq!(
        found
            .new
            .iter()
            .map(|group| group.order)
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(found.new[1].failure, None);
    let failure = found.new[2].failure.as_ref().unwrap();
    assert_eq!(failure.code, FailureCode::MissingImage);
    assert!(failure.detail.to_string().contains("gone.png") && found.new[2].sha256.is_none());
    let further = [(0, "검은 모자"), (0, "흰 모자"), (2, "은반지")];
    assert_eq!(
        found.names,
        further.map(|(order, name)| (order, name.to_owned(), false))
    );
    assert_eq!(found.paths, [(0, "copy.png".to_owned())]);
    assert_eq!(
        found.warnings.len(),
        1,
        "one warning about the wrong hash: {:?}",
        found.warnings
    );
    assert_eq!(
        found.warnings[0],
        "1 row: image_sha256 does not match the image and is ignored (cape.png)"
    );
    assert_eq!(
        end.unwrap(),
        SourceEnd {
            rows: 9,
            rows_of_groups: vec![5, 2, 2],
            refused: 0,
            cut_short: false
        }
    );
}

#[test]
fn icons_that_were_never_fetched_are_grouped_by_url() {
    let dir = folder(&[]);
    let path = dir.path().join("db.sqlite");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE cash_items(cash_item_name, cash_item_icon_url);
             CREATE TABLE icon_assets(url, local_path);
             INSERT INTO cash_items VALUES ('가', 'u/1'), ('나', 'u/2'), ('다', 'u/1');",
        )
        .unwrap();
    let (found, end) = grouped(&database_at(path));
    let paths: Vec<_> = found
        .new
        .iter()
        .map(|group| group.item.image_path.as_str())
        .collect();
    assert_eq!(paths, ["u/1", "u/2"]);
    assert_eq!(found.names, [(0, "다".to_owned(), false)]);
    let failure = found.new[0].failure.as_ref().unwrap();
    assert_eq!(failure.detail, FailureDetail::NeverFetched);
    assert_eq!(end.unwrap().rows_of_groups, [2, 1]);
}

#[test]
fn an_image_without_a_name_gets_the_name_of_an_identical_one() {
    let (hat, cape) = (png(1), png(2));
    let dir = folder(&[
        ("IMG_0001.png", &hat),
        ("IMG_0002.png", &hat),
        ("IMG_0003.png", &cape),
        ("검은 모자.png", &hat),
        ("모자.png", &hat),
    ]);
    let (found, _) = grouped(&options(SourceKind::Folder(dir.path().to_owned())));
    let first: Vec<_> = found.new.iter().map(|new| &*new.item.item_name).collect();
    assert_eq!(first, ["", ""]);
    assert_eq!(
        found.names,
        [
            (0, "검은 모자".to_owned(), true),
            (0, "모자".to_owned(), false)
        ]
    );
    assert_eq!(
        found.warnings,
        ["1 row: an earlier row with the same image has no name and gets this one (검은 모자)"]
    );
}

#[test]
fn max_samples_counts_images() {
    let icons: Vec<_> = (0..5)
        .map(|seed| (format!("{seed}.png"), png(seed)))
        .collect();
    let files: Vec<_> = icons
        .iter()
        .map(|(name, bytes)| (name.as_str(), &bytes[..]))
        .collect();
    let rows: Vec<_> = [0, 0, 0, 1, 0, 2, 3, 4]
        .map(|icon| row(&format!("{icon}.png"), "이름", None))
        .to_vec();
    let (_dir, mut options) = manifest(&rows, &files);
    for (wanted, groups, cut_short) in [
        (Some(3), 3, true),
        (Some(0), 0, true),
        (Some(9), 5, false),
        (None, 5, false),
    ] {
        options.max_samples = wanted;
        let (found, end) = grouped(&options);
        let end = end.unwrap();
        assert_eq!(found.new.len(), groups);
        assert_eq!(end.cut_short, cut_short);
        assert_eq!(end.rows_of_groups.len(), groups);
    }
}

#[test]
fn warnings_are_reported_before_an_error() {
    let icon = png(0);
    let dir = folder(&[("a.png", &icon)]);
    let good = row("a.png", "가", None);
    fs::write(dir.path().join("m.json"), format!("[{good}, 5, {good}, {{")).unwrap();
    let (found, end) = grouped(&manifest_at(dir.path().join("m.json")));
    assert_eq!(found.new.len(), 1);
    let place = "m.json row 2)";
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings[0].starts_with("1 row refused: not a JSON object"));
    assert!(found.warnings[0].ends_with(place), "{:?}", found.warnings);
    assert_eq!(end.unwrap_err().kind, ErrorKind::Source);
}

#[test]
fn grouping_can_be_stopped_at_any_event() {
    let icons: Vec<_> = (0..40)
        .map(|seed| (format!("{seed}.png"), png(seed)))
        .collect();
    let files: Vec<_> = icons
        .iter()
        .map(|(name, bytes)| (name.as_str(), &bytes[..]))
        .collect();
    let rows: Vec<_> = (0..2000)
        .map(|number| {
            row(
                &format!("{}.png", number % 40),
                &format!("이름 {number}"),
                None,
            )
        })
        .collect();
    let (_dir, options) = manifest(&rows, &files);
    for stop_at in [1, 7, 40, 41, 1000] {
        let mut events = 0;
        let end = group(open(&options).unwrap(), None, &mut |_| {
            events += 1;
            match events == stop_at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .unwrap();
        assert_eq!(events, stop_at);
        assert!(end.cut_short);
    }
}

#[test]
fn groups_are_in_source_order_whatever_is_hashed_first() {
    let large = vec![7u8; 4 << 20];
    let icons: Vec<_> = (0..60u32)
        .map(|seed| match seed % 20 {
            0 => (
                format!("{seed}.png"),
                [large.as_slice(), &seed.to_le_bytes()].concat(),
            ),
            _ => (format!("{seed}.png"), png(seed)),
        })
        .collect();
    let files: Vec<_> = icons
        .iter()
        .map(|(name, bytes)| (name.as_str(), &bytes[..]))
        .collect();
    let rows: Vec<_> = (0..60)
        .map(|icon| row(&format!("{icon}.png"), "이름", None))
        .collect();
    let (_dir, options) = manifest(&rows, &files);
    let (found, _) = grouped(&options);
    let hashes: Vec<_> = found
        .new
        .iter()
        .map(|group| group.sha256.clone().unwrap())
        .collect();
    let expected: Vec<_> = icons.iter().map(|(_, bytes)| sha256(bytes)).collect();
    assert_eq!(hashes, expected);
}

#[test]
fn the_built_in_sample_is_complete() {
    let (found, end) = grouped(&options(SourceKind::Demo));
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    assert!(end.unwrap().rows_of_groups.len() >= 96);
    for group in &found.new {
        let file = group.item.file.as_ref().unwrap();
        assert_eq!(group.failure, None, "{}", group.item.image_path);
        let icon = image::load_from_memory(&image_bytes(file).unwrap()).unwrap();
        assert!(
            icon.width().max(icon.height()) <= 48,
            "{}",
            group.item.image_path
        );
    }
}
