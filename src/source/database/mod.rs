//! The collector's SQLite database, read and never written.

mod connect;

use super::checks::{MAX_ROW, TOO_LONG, file_at, has_control, one_line, wanted};
use super::cp949::Texts;
use super::reading::{ItemSource, Note, RowEvent, Sink, SourceRow, base_of};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Item, SourceType};
use crate::settings::{EquipmentName, OnlySource};
use crate::text::{Phrase, Said, paragraphs, said};
use connect::{connect, unreadable};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often a database is tried that somebody else holds.
const PATIENCE: Duration = Duration::from_millis(500);

/// A table of items, by the names that the collector gives its columns.
struct Shape {
    source_type: SourceType,
    table: &'static str,
    url: &'static str,
    /// The item itself, and the item whose look the icon shows.
    name: &'static str,
    shape_name: Option<&'static str>,
    description: &'static str,
    part: &'static str,
    slot: &'static str,
}

const SHAPES: [Shape; 2] = [
    Shape {
        source_type: SourceType::EquipmentShape,
        table: "equipment_shape_items",
        url: "item_shape_icon_url",
        name: "item_name",
        shape_name: Some("item_shape_name"),
        description: "item_description",
        part: "item_equipment_part",
        slot: "equipment_slot",
    },
    Shape {
        source_type: SourceType::Cash,
        table: "cash_items",
        url: "cash_item_icon_url",
        name: "cash_item_name",
        shape_name: None,
        description: "cash_item_description",
        part: "cash_item_equipment_part",
        slot: "cash_item_equipment_slot",
    },
];

/// A database, which somebody else may hold while it is opened.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    only: OnlySource,
    run_id: Option<String>,
    naming: EquipmentName,
    opened: Option<Database>,
}

impl Source {
    pub fn open(
        path: &Path,
        only: OnlySource,
        run_id: Option<String>,
        naming: EquipmentName,
    ) -> Result<Self> {
        let mut source = Self {
            path: path.to_owned(),
            only,
            run_id,
            naming,
            opened: None,
        };
        source.try_to_open()?;
        Ok(source)
    }

    /// Who holds the database, where somebody does.
    fn try_to_open(&mut self) -> Result<Option<String>> {
        let run_id = self.run_id.clone();
        match Database::open(&self.path, self.only, run_id, self.naming) {
            Ok(database) => {
                self.opened = Some(database);
                Ok(None)
            }
            Err(Refused::Held(holder)) => Ok(Some(holder)),
            Err(Refused::Unfit(error)) => Err(error),
        }
    }
}

impl ItemSource for Source {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let mut is_told = false;
        loop {
            if let Some(database) = &self.opened {
                return database.read(sink);
            }
            let Some(holder) = self.try_to_open()? else {
                continue;
            };
            let path = self.path.display();
            let text = said!(
                "{path} is locked by {holder}; waiting until it is free",
                "{path}: {holder}{이} 잠갔습니다. 풀릴 때까지 기다립니다"
            );
            if !std::mem::replace(&mut is_told, true) && sink(RowEvent::Warning(text)).is_break() {
                return Ok(());
            }
            thread::sleep(PATIENCE);
        }
    }
}

/// Why a database is not open.
enum Refused {
    /// By whom.
    Held(String),
    Unfit(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Unfit(error)
    }
}

#[derive(Debug)]
struct Database {
    path: PathBuf,
    base: PathBuf,
    connection: Connection,
    /// Nobody had it open, and what others do to it meanwhile is not seen.
    is_unlocked: bool,
    run_id: Option<String>,
    naming: EquipmentName,
    /// What is asked of each table, in order.
    queries: Vec<(SourceType, &'static str, String)>,
    /// Told when the reading begins.
    warnings: Vec<Said>,
}

impl Database {
    fn open(
        path: &Path,
        only: OnlySource,
        run_id: Option<String>,
        naming: EquipmentName,
    ) -> Result<Self, Refused> {
        let Some((connection, is_unlocked)) = connect(path)? else {
            return Err(Refused::Held(connect::holder(path)));
        };
        let mut database = Self {
            path: path.to_owned(),
            base: base_of(path)?,
            connection,
            is_unlocked,
            run_id,
            naming,
            queries: Vec::new(),
            warnings: Vec::new(),
        };
        let assets = database.columns("icon_assets")?;
        database.require("icon_assets", &assets, &["url", "local_path"])?;
        let mut absent = Vec::new();
        for shape in SHAPES
            .iter()
            .filter(|shape| wanted(only, shape.source_type))
        {
            let columns = database.columns(shape.table)?;
            if columns.is_empty() {
                absent.push(shape.table);
                continue;
            }
            let query = database.query(shape, &columns, &assets)?;
            database
                .queries
                .push((shape.source_type, shape.table, query));
        }
        if database.queries.is_empty() {
            let why = format!("it has no table {}", absent.join(" or "));
            return Err(database.unfit(why).into());
        }
        for table in absent {
            let path = path.display();
            let warning = said!(
                "{path} has no table {table}",
                "{path}에 {table} 표가 없습니다"
            );
            database.warnings.push(warning);
        }
        database.check_run()?;
        Ok(database)
    }

    /// The columns of a table in lower case; none where there is no such table.
    fn columns(&self, table: &str) -> Result<Vec<String>> {
        let failed = |error| unreadable(&self.path, &error);
        let mut statement = self
            .connection
            .prepare("SELECT lower(name) FROM pragma_table_info(?1)")
            .map_err(failed)?;
        let names = statement
            .query_map([table], |row| row.get(0))
            .map_err(failed)?;
        names.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    fn require(&self, table: &str, columns: &[String], names: &[&str]) -> Result<()> {
        if columns.is_empty() {
            return Err(self.unfit(format!("it has no table {table}")));
        }
        let missing: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !columns.iter().any(|column| column == name))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(self.unfit(format!(
            "table {table} has no column {}",
            missing.join(", ")
        )))
    }

    fn unfit(&self, why: String) -> Error {
        Error::new(
            ErrorKind::Source,
            format!(
                "{} is not a collector's database: {why}",
                self.path.display()
            ),
        )
    }

    /// One row an item, in the order of the table, with its asset; [`read_row`] knows the columns.
    fn query(&self, shape: &Shape, columns: &[String], assets: &[String]) -> Result<String> {
        let has = |name: &str| columns.iter().any(|column| column == name);
        let mut required = vec![shape.url];
        if !has(shape.name) && !shape.shape_name.is_some_and(has) {
            required.push(shape.name);
        }
        if self.run_id.is_some() {
            required.push("run_id");
        }
        self.require(shape.table, columns, &required)?;

        let item = |name: &str| match has(name) {
            true => format!("i.{name}"),
            false => "NULL".to_owned(),
        };
        let asset = |name: &str| match assets.iter().any(|column| column == name) {
            true => format!("a.{name}"),
            false => "NULL".to_owned(),
        };
        let ordered = self
            .connection
            .prepare(&format!("SELECT rowid FROM {}", shape.table))
            .is_ok();
        let rowid = if ordered { "i.rowid" } else { "NULL" };
        // The plus keeps SQLite from the index on run_id, whose order is not the table's.
        Ok(format!(
            "SELECT {rowid}, i.{url}, {name}, {shape_name}, {description}, {part}, {slot}, {ocid}, \
             a.url, a.local_path, {sha256}, {error} \
             FROM {table} AS i LEFT JOIN icon_assets AS a ON a.url = i.{url} \
             {filter} {order}",
            url = shape.url,
            name = item(shape.name),
            shape_name = shape.shape_name.map_or("NULL".to_owned(), item),
            description = item(shape.description),
            part = item(shape.part),
            slot = item(shape.slot),
            ocid = item("ocid"),
            sha256 = asset("sha256"),
            error = asset("error"),
            table = shape.table,
            filter = self.run_id.as_ref().map_or("", |_| "WHERE +i.run_id = ?1"),
            order = if ordered { "ORDER BY i.rowid" } else { "" },
        ))
    }

    /// A run that is not there is a slip of the user's; the known ones are named.
    fn check_run(&self) -> Result<()> {
        let Some(run_id) = &self.run_id else {
            return Ok(());
        };
        let failed = |error| unreadable(&self.path, &error);
        let mut known = Vec::new();
        for (_, table, _) in &self.queries {
            let mut statement = self
                .connection
                .prepare(&format!("SELECT DISTINCT run_id FROM {table}"))
                .map_err(failed)?;
            let mut rows = statement.query([]).map_err(failed)?;
            while let Some(row) = rows.next().map_err(failed)? {
                known.extend(text(row, 0, &mut Texts::default()).and_then(Result::ok));
            }
        }
        if known.contains(run_id) {
            return Ok(());
        }
        known.sort();
        known.dedup();
        let shown = known.iter().rev().take(5).cloned().collect::<Vec<_>>();
        Err(Error::new(
            ErrorKind::Usage,
            format!("{} has no rows of run {run_id:?}", self.path.display()),
        )
        .with_hint(match shown.is_empty() {
            true => "it has no runs at all".to_owned(),
            false => format!("its latest runs: {}", shown.join(", ")),
        }))
    }
}

impl Database {
    /// The row's item, nothing where it is none, or why it cannot be used.
    fn read_row(
        &self,
        row: &Row,
        place: &str,
        source_type: SourceType,
        texts: &mut Texts,
    ) -> Result<Vec<RowEvent>, Said> {
        // Without these a row is of no use; the others cost only themselves.
        let mut needed = |index, what: &str| {
            let text = text(row, index, texts).transpose();
            text.map_err(|Phrase { english, korean }| {
                said!("its {what} {english}", "{what}: {korean}")
            })
        };
        let url = one_line(needed(1, "icon URL")?);
        let mut names = [needed(2, "name")?, needed(3, "name")?];
        if self.naming == EquipmentName::Shape {
            names.reverse();
        }
        let local_path = needed(9, "icon's local_path")?.filter(|path| !path.trim().is_empty());
        let Some(url) = url else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        let mut other = |index, what: &str| match text(row, index, texts)? {
            Ok(text) => Some(text),
            Err(why) => {
                let Phrase { english, korean } = why;
                let what = said!(
                    "its {what} {english}, and is left out",
                    "{what}: {korean}. 빼고 읽습니다"
                );
                events.push(RowEvent::Noted(self.note(place, what)));
                None
            }
        };
        let named = names.iter().flatten().any(|name| !name.trim().is_empty());
        let mut names = names.into_iter().filter_map(one_line);
        let Some(item_name) = names.next() else {
            return match named {
                true => Err(said!(
                    "its name holds only blanks and invisible characters",
                    "이름이 공백과 보이지 않는 글자뿐입니다"
                )),
                false => Ok(Vec::new()),
            };
        };
        let other_name = names.next().filter(|other| *other != item_name);
        // The description is of the item, not of the look that it wears.
        let is_of_another = self.naming == EquipmentName::Shape && other_name.is_some();
        let asset = one_line(other(8, "icon's URL"));
        let mut missing = match (asset, one_line(other(11, "icon's error"))) {
            (None, _) => Some("the icon was never fetched".to_owned()),
            (_, Some(error)) => Some(format!("fetching the icon failed: {error}")),
            _ => Some("the icon has no file".to_owned()),
        };
        let claimed_sha256 = one_line(other(10, "icon's sha256"));
        let item_part = part(one_line(other(5, "part")), one_line(other(6, "slot")));
        let ocid = one_line(other(7, "ocid"));
        let description = other(4, "description");
        let mut file = None;
        if let Some(path) = &local_path {
            if has_control(path) {
                let why = said!(
                    "the icon's local_path holds control characters",
                    "아이콘의 local_path에 제어 문자가 있습니다"
                );
                missing = Some(why.english.clone());
                events.push(RowEvent::Noted(self.note(place, why)));
            } else {
                missing = None;
                let (found, how) = file_at(&self.base, path);
                let how = how.map(|how| RowEvent::Noted(self.note(place, how.into())));
                events.extend(how);
                file = Some(found.into());
            }
        }
        let item = Item {
            // Without a file the address is what tells the image from others.
            image_path: match &file {
                Some(_) => local_path.unwrap_or_default(),
                None => url.clone(),
            },
            file,
            claimed_sha256,
            source_type,
            item_name,
            item_part,
            image_url: Some(url),
            ocid,
            item_description: description
                .and_then(|text| paragraphs(&text))
                .filter(|_| !is_of_another),
            ranking: None,
        };
        let row = SourceRow {
            item,
            other_name,
            sha256: None,
        };
        events.push(match missing {
            Some(why) => RowEvent::Missing(row, why),
            None => RowEvent::Item(row),
        });
        Ok(events)
    }

    fn note(&self, place: &str, what: Said) -> Note {
        Note {
            file: self.path.clone(),
            place: place.to_owned(),
            what,
        }
    }

    fn read(&self, sink: &mut Sink) -> Result<()> {
        let failed = |error| unreadable(&self.path, &error);
        for warning in &self.warnings {
            if sink(RowEvent::Warning(warning.clone())).is_break() {
                return Ok(());
            }
        }
        let mut texts = Texts::default();
        for (source_type, table, query) in &self.queries {
            let mut statement = self.connection.prepare(query).map_err(failed)?;
            let mut rows = statement
                .query(params_from_iter(&self.run_id))
                .map_err(failed)?;
            let mut before = None;
            while let Some(row) = rows.next().map_err(failed)? {
                let rowid: Option<i64> = row.get(0).map_err(failed)?;
                // A second asset of the same address.
                if rowid.is_some() && rowid == before {
                    continue;
                }
                before = rowid;
                let place = match rowid {
                    Some(rowid) => format!("{table}, row {rowid}"),
                    None => (*table).to_owned(),
                };
                let events = self.read_row(row, &place, *source_type, &mut texts);
                let events =
                    events.unwrap_or_else(|why| vec![RowEvent::Refused(self.note(&place, why))]);
                let told = texts.end_row(&self.path, sink);
                if told.is_break() || events.into_iter().any(|event| sink(event).is_break()) {
                    return Ok(());
                }
            }
        }
        texts.end(&self.path, sink);
        if self.is_unlocked && connect::is_in_use(&self.path) {
            let path = self.path.display();
            let text = said!(
                "{path}: another program has opened it while it was read; run again with --resume \
                 once that is done, so that nothing is missing",
                "{path}: 읽는 동안 다른 프로그램이 열었습니다. 그쪽이 끝나면 --resume으로 다시 실행해 \
                 빠진 것이 없게 하세요"
            );
            // Whoever has stopped listening has stopped reading.
            let _ = sink(RowEvent::Warning(text));
        }
        Ok(())
    }
}

/// Behind the name of a column.
const NOT_TEXT: Phrase = Phrase::new("is neither UTF-8 nor CP949", "UTF-8도 CP949도 아닙니다");

fn part(part: Option<String>, slot: Option<String>) -> Option<String> {
    match (part, slot) {
        (Some(part), Some(slot)) if part != slot => Some(format!("{part}/{slot}")),
        (part, slot) => part.or(slot),
    }
}

/// A value as text, or why it is none; SQLite lets any value stand in any column.
fn text(row: &Row, index: usize, texts: &mut Texts) -> Option<Result<String, Phrase>> {
    match row.get_ref(index).ok()? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(Ok(number.to_string())),
        ValueRef::Real(number) => Some(Ok(number.to_string())),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) if bytes.len() > MAX_ROW => {
            Some(Err(TOO_LONG))
        }
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            let text = texts.read(bytes).ok_or(NOT_TEXT);
            Some(text.map(Cow::into_owned))
        }
    }
}
