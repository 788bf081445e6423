//! Tests of the collector's database: complete, incomplete and damaged.

use super::*;
use rusqlite::Connection;

const SCHEMA: &str = "
CREATE TABLE runs(run_id TEXT PRIMARY KEY, target_date TEXT, created_at TEXT, params_json TEXT);
CREATE TABLE equipment_shape_items(run_id TEXT NOT NULL, ocid TEXT NOT NULL,
  item_equipment_part TEXT, equipment_slot TEXT, item_name TEXT, item_icon_url TEXT,
  item_description TEXT, item_shape_name TEXT, item_shape_icon_url TEXT, raw_json TEXT,
  UNIQUE(run_id, ocid, item_equipment_part, equipment_slot));
CREATE TABLE cash_items(run_id TEXT NOT NULL, ocid TEXT NOT NULL, preset_no INTEGER,
  cash_item_equipment_part TEXT, cash_item_equipment_slot TEXT, cash_item_name TEXT,
  cash_item_icon_url TEXT, cash_item_description TEXT,
  UNIQUE(run_id, ocid, preset_no, cash_item_equipment_part, cash_item_equipment_slot));
CREATE TABLE icon_assets(url TEXT PRIMARY KEY, sha256 TEXT, local_path TEXT, content_type TEXT, error TEXT);
";

const ROWS: &str = "
INSERT INTO runs VALUES ('r2', '', '', '{}'), ('r1', '', '', '{}');
INSERT INTO icon_assets(url, sha256, local_path, error) VALUES
  ('u/hat', 'aa', 'icons/hat.png', NULL), ('u/cape', 'bb', 'icons/cape.png', NULL),
  ('u/failed', NULL, NULL, 'HTTP 404'), ('u/blank', NULL, '', NULL),
  ('u/evil', NULL, 'icons/a' || char(27) || '.png', NULL);
INSERT INTO equipment_shape_items VALUES
  ('r2', 'o1', '모자', '모자', '나이트헬름', 'u/other', '설명', '뾰족귀 모자', 'u/hat', NULL),
  ('r1', 'o2', '장갑', '보조 장갑', '장갑', NULL, NULL, NULL, 'u/absent', NULL),
  ('r1', 'o2', '', '반지1', '반지', NULL, NULL, NULL, 'u/failed', NULL),
  ('r1', 'o2', '망토', NULL, NULL, NULL, '', '기본 망토', 'u/cape', NULL),
  ('r1', 'o2', 'no name', '', ' ', NULL, NULL, NULL, 'u/cape', NULL),
  ('r1', 'o2', 'no icon', '', '투명', NULL, NULL, NULL, NULL, NULL),
  ('r1', 'o2', 'no icon either', '', '투명', NULL, NULL, NULL, '', NULL);
INSERT INTO cash_items VALUES
  ('r2', 'o1', 0, '모자', '모자', 42, 'u/blank', NULL),
  ('r2', 'o1', 1, '망토', '망토', '날개', 'u/cape', '가벼운 날개'),
  ('r2', 'o1', 2, '신발', '신발', '신발', 'u/evil', NULL);
";

fn database(sql: &[&str]) -> TempDir {
    let dir = folder(&[]);
    let connection = Connection::open(dir.path().join("db.sqlite")).unwrap();
    for sql in sql {
        connection.execute_batch(sql).unwrap();
    }
    dir
}

fn rows(dir: &TempDir) -> Result<Read> {
    read(&database_at(dir.path().join("db.sqlite")))
}

fn files_in(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn items_of_both_tables_are_joined_with_their_icons_in_table_order() {
    let dir = database(&[SCHEMA, ROWS]);
    let before = files_in(dir.path());
    let read = rows(&dir).unwrap();
    assert_eq!(read.names(), ["뾰족귀 모자", "기본 망토", "날개"]);
    assert_eq!(read.other_names, ["나이트헬름"]);
    let hat = &read.items[0];
    assert_eq!(hat.image_path, "icons/hat.png");
    assert_eq!(hat.file, Some(dir.path().join("icons/hat.png").into()));
    assert_eq!(hat.claimed_sha256.as_deref(), Some("aa"));
    // The description is about the item that wears the look.
    assert_eq!(hat.item_description, None);
    assert_eq!(hat.image_url.as_deref(), Some("u/hat"));
    assert_eq!(hat.ocid.as_deref(), Some("o1"));
    assert_eq!(hat.item_part.as_deref(), Some("모자"));
    assert_eq!(read.items[1].item_part.as_deref(), Some("망토"));
    assert_eq!(read.items[1].item_description, None);
    assert_eq!(read.items[2].source_type.as_str(), "cash");

    let missing: Vec<_> = read
        .missing
        .iter()
        .map(|(item, why)| {
            [
                item.item_name.clone(),
                item.image_path.clone(),
                why.to_string(),
            ]
        })
        .collect();
    assert_eq!(
        missing,
        [
            ["장갑", "u/absent", "the icon was never fetched"],
            ["반지", "u/failed", "fetching the icon failed: HTTP 404"],
            ["42", "u/blank", "the icon has no file"],
            [
                "신발",
                "u/evil",
                "the icon's local_path contains control characters"
            ],
        ]
    );
    assert_eq!(
        read.missing[0].0.item_part.as_deref(),
        Some("장갑/보조 장갑")
    );
    assert_eq!(read.missing[1].0.item_part.as_deref(), Some("반지1"));
    assert!(read.missing.iter().all(|(item, _)| item.file.is_none()));
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    assert!(
        files_in(dir.path()) == before,
        "reading changed the source's folder"
    );
}

#[test]
fn equipment_can_be_named_by_the_item_that_wears_the_look() {
    let dir = database(&[SCHEMA, ROWS]);
    let mut options = database_at(dir.path().join("db.sqlite"));
    options.equipment_name = EquipmentName::Item;
    let read = read(&options).unwrap();
    assert_eq!(read.names(), ["나이트헬름", "기본 망토", "날개"]);
    assert_eq!(read.other_names, ["뾰족귀 모자"]);
    assert_eq!(read.items[0].item_description.as_deref(), Some("설명"));
}

#[test]
fn an_item_that_shows_its_own_look_keeps_its_description() {
    let dir = database(&[
        SCHEMA,
        "INSERT INTO icon_assets(url, local_path) VALUES ('u/hat', 'icons/hat.png');
         INSERT INTO equipment_shape_items VALUES
           ('r', 'o1', '모자', '모자', '붉은  모자', NULL, '설명', '붉은 모자', 'u/hat', NULL),
           ('r', 'o2', '모자', '모자', '털모자', NULL, '설명', ' ', 'u/hat', NULL);",
    ]);
    let read = rows(&dir).unwrap();
    assert_eq!(read.names(), ["붉은 모자", "털모자"]);
    assert!(read.other_names.is_empty(), "{:?}", read.other_names);
    let described = |item: &Item| item.item_description.as_deref() == Some("설명");
    assert!(read.items.iter().all(described));
}

#[test]
fn run_id_and_only_source_select_rows() {
    let dir = database(&[SCHEMA, ROWS]);
    let mut options = database_at(dir.path().join("db.sqlite"));
    options.run_id = Some("r2".to_owned());
    assert_eq!(read(&options).unwrap().names(), ["뾰족귀 모자", "날개"]);
    options.only = OnlySource::Cash;
    assert_eq!(read(&options).unwrap().names(), ["날개"]);
    options.only = OnlySource::EquipmentShape;
    assert_eq!(read(&options).unwrap().names(), ["뾰족귀 모자"]);
    options.run_id = Some("r3' OR 1".to_owned());
    let error = read(&options).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Usage);
    assert_eq!(error.hint.as_deref(), Some("its latest runs: r2, r1"));
}

#[test]
fn optional_columns_may_be_missing() {
    let dir = database(&[
        "CREATE TABLE cash_items(cash_item_name, CASH_ITEM_ICON_URL);
         CREATE TABLE icon_assets(url, local_path);
         INSERT INTO icon_assets VALUES ('u', 'a.png'), ('u', 'twice.png'), (x'00ff', 'b.png');
         INSERT INTO cash_items VALUES ('모자', 'u'), (x'ff', 'u'), (1.5, 'u'), (NULL, 'u'), ('칼', NULL);",
    ]);
    let read = rows(&dir).unwrap();
    assert_eq!(read.names(), ["모자", "1.5"]);
    assert_eq!(read.items[0].image_path, "a.png");
    assert_eq!(read.warnings.len(), 2);
    assert!(read.warnings[0].ends_with("has no table equipment_shape_items"));
    assert!(read.warnings[1].ends_with("its name is neither UTF-8 nor CP949"));
}

#[test]
fn errors_name_missing_tables_and_columns() {
    let cause = |sql: &str| rows(&database(&[sql])).unwrap_err().cause;
    assert!(cause("CREATE TABLE x(y)").ends_with("it has no table icon_assets"));
    assert!(
        cause("CREATE TABLE icon_assets(url, local_path)")
            .ends_with("it has no table equipment_shape_items or cash_items")
    );
    assert!(
        cause("CREATE TABLE icon_assets(sha256); CREATE TABLE cash_items(a)")
            .ends_with("table icon_assets has no column url, local_path")
    );
    assert!(
        cause("CREATE TABLE icon_assets(url, local_path); CREATE TABLE cash_items(a)")
            .ends_with("table cash_items has no column cash_item_icon_url, cash_item_name")
    );
    let mut options = database_at(database(&[SCHEMA]).path().join("db.sqlite"));
    assert!(open(&options).unwrap_err().cause.contains("cannot read"));
    let other = folder(&[(
        "db.sqlite",
        b"this is a text, not a database, whatever its name says",
    )]);
    options.kind = SourceKind::Database(other.path().join("db.sqlite"));
    assert!(open(&options).unwrap_err().cause.contains("not a database"));
}

#[test]
fn a_path_with_special_characters_can_be_opened() {
    let dir = database(&[SCHEMA, ROWS]);
    let odd = dir.path().join("한글 100%41 #1?mode=rw&x.sqlite");
    fs::copy(dir.path().join("db.sqlite"), &odd).unwrap();
    assert_eq!(read(&database_at(odd)).unwrap().items.len(), 3);
}

#[test]
fn reading_a_database_in_wal_mode_leaves_no_files() {
    let dir = database(&["PRAGMA journal_mode = wal", SCHEMA, ROWS]);
    let before = files_in(dir.path());
    assert_eq!(before.len(), 1, "the writer has closed");
    assert_eq!(rows(&dir).unwrap().items.len(), 3);
    assert!(files_in(dir.path()) == before);

    let writer = Connection::open(dir.path().join("db.sqlite")).unwrap();
    writer
        .execute_batch("INSERT INTO cash_items VALUES ('r3', 'o', 0, '', '', '새것', 'u/hat', '')")
        .unwrap();
    assert_eq!(rows(&dir).unwrap().names().last(), Some(&"새것"));
}

#[test]
fn changes_in_a_leftover_wal_are_read_without_leaving_files() {
    let dir = database(&["PRAGMA journal_mode = wal", SCHEMA, ROWS]);
    let writer = Connection::open(dir.path().join("db.sqlite")).unwrap();
    writer
        .execute_batch(
            "PRAGMA wal_autocheckpoint = 0;
             INSERT INTO cash_items VALUES ('r3', 'o', 0, '', '', '새것', 'u/hat', '')",
        )
        .unwrap();
    // As left by a killed collector, or in a copy.
    let left = folder(&[]);
    for name in ["db.sqlite", "db.sqlite-wal"] {
        fs::copy(dir.path().join(name), left.path().join(name)).unwrap();
    }
    let before = files_in(left.path());
    assert_eq!(before.len(), 2);
    let read = read(&database_at(left.path().join("db.sqlite"))).unwrap();
    assert_eq!(read.names().last(), Some(&"새것"));
    assert!(files_in(left.path()) == before);
}

#[test]
fn reading_waits_for_a_locked_database() {
    let dir = database(&[SCHEMA, ROWS]);
    let path = dir.path().join("db.sqlite");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut source = open(&database_at(path)).unwrap();
    let (mut items, mut attempts) = (0, 0);
    let read = source.read(&mut |event| {
        match event {
            RowEvent::Item(_) => items += 1,
            RowEvent::Locked(text) => {
                assert!(text.english.contains("is locked by"), "{}", text.english);
                writer.execute_batch("COMMIT").unwrap();
                attempts += 1;
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert_eq!(read, Ok(()));
    assert_eq!((items, attempts), (3, 1));
}

#[test]
fn waiting_for_a_locked_database_can_be_given_up() {
    let dir = database(&[SCHEMA, ROWS]);
    let path = dir.path().join("db.sqlite");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut attempts = 0;
    let end = group(open(&database_at(path)).unwrap(), None, &mut |event| {
        assert!(matches!(event, GroupEvent::Locked(_)), "{event:?}");
        attempts += 1;
        match attempts {
            1 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    assert!(end.unwrap().cut_short);
    assert_eq!(attempts, 2);
}

#[test]
fn an_enormous_value_refuses_its_row_only_if_it_is_required() {
    let huge = "hex(zeroblob(600000))";
    let dir = named(&["'모자'".to_owned(), huge.to_owned(), "'칼'".to_owned()]);
    Connection::open(dir.path().join("db.sqlite"))
        .unwrap()
        .execute(
            &format!("UPDATE cash_items SET cash_item_description = {huge} WHERE preset_no = 2"),
            [],
        )
        .unwrap();
    let read = rows(&dir).unwrap();
    let all: Vec<&Item> = read
        .items
        .iter()
        .chain(read.missing.iter().map(|(item, _)| item))
        .collect();
    let names: Vec<&str> = all.iter().map(|item| item.item_name.as_str()).collect();
    assert_eq!(names, ["모자", "칼"]);
    assert_eq!(all[1].item_description, None);
    let warned = |what: &str| read.warnings.iter().any(|warning| warning.ends_with(what));
    assert!(
        warned("its name is longer than 1 MiB"),
        "{:?}",
        read.warnings
    );
    assert!(warned(
        "its description is longer than 1 MiB and is ignored"
    ));
}

#[test]
fn a_damaged_database_never_panics() {
    let dir = database(&[SCHEMA, ROWS]);
    let path = dir.path().join("db.sqlite");
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        let end = (at + 60).min(bytes.len());
        bytes[at..end].fill(0xa5);
        fs::write(&path, &bytes).unwrap();
        let _ = read(&database_at(&path));
        fs::write(&path, &whole[..at]).unwrap();
        let _ = read(&database_at(&path));
    }
}

/// A database of items with these names (SQL expressions), each with an icon.
fn named(names: &[String]) -> TempDir {
    let rows: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            format!(
                "INSERT INTO icon_assets (url, local_path) VALUES ('u/{n}', 'icons/{n}.png');
                 INSERT INTO cash_items (run_id, ocid, preset_no, cash_item_name, cash_item_icon_url)
                 VALUES ('r', 'o', {n}, {name}, 'u/{n}');"
            )
        })
        .collect();
    database(&[SCHEMA, &rows.join("\n")])
}

/// SQL expression of a text with these bytes.
fn bytes(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("CAST(x'{hex}' AS TEXT)")
}

#[test]
fn names_in_cp949_are_read_with_one_warning() {
    let cp949 = |text| bytes(&encoding_rs::EUC_KR.encode(text).0);
    let dir = named(&[
        cp949("붉은 모자"),
        "'파란 망토'".to_owned(),
        cp949("똠방 신발"),
    ]);
    let read = rows(&dir).unwrap();
    assert_eq!(read.names(), ["붉은 모자", "파란 망토", "똠방 신발"]);
    let about = read.warnings.iter().filter(|text| text.contains("CP949"));
    let about: Vec<&String> = about.collect();
    assert_eq!(about.len(), 2, "{about:?}");
    assert!(about[1].ends_with("2 rows were read as CP949"), "{about:?}");
}

#[test]
fn a_name_that_cannot_be_decoded_refuses_its_row() {
    let cut = &"붉은 모자".as_bytes()[..8];
    let dir = named(&[bytes(cut), "'파란 망토'".to_owned(), bytes(b"calf\xe9")]);
    let read = rows(&dir).unwrap();
    assert_eq!(read.names(), ["파란 망토"]);
    let refused = "its name is neither UTF-8 nor CP949";
    let refused = read.warnings.iter().filter(|text| text.contains(refused));
    let refused: Vec<&String> = refused.collect();
    assert_eq!(refused.len(), 2, "{:?}", read.warnings);
    assert!(refused[0].contains("cash_items, row 1"), "{refused:?}");
}

#[test]
fn names_are_normalized_and_invisible_ones_refused() {
    let dir = named(&[
        "'붉은  모자\u{a0}\u{3000}끝\u{200b}'".to_owned(),
        "'\u{200b}\u{2060}'".to_owned(),
        "' '".to_owned(),
        "''".to_owned(),
    ]);
    let read = rows(&dir).unwrap();
    assert_eq!(read.names(), ["붉은 모자 끝"]);
    let blank = "its name contains only blanks and invisible characters";
    let refused = read.warnings.iter().filter(|text| text.contains(blank));
    assert_eq!(refused.count(), 1, "{:?}", read.warnings);
}
