//! Reads the collector's SQLite database; never writes to it.

mod connect;

use super::checks::{MAX_ROW, TOO_LONG, file_at, has_control, is_selected, one_line};
use super::cp949::TextDecoder;
use super::reading::{ItemSource, Note, RowEvent, Sink, SourceRow, base_of};
use crate::error::{Error, ErrorKind, Result};
use crate::record::{FailureDetail, Item, SourceType};
use crate::source::options::{EquipmentName, OnlySource};
use crate::text::{Phrase, Said, paragraphs, said};
use connect::{connect, unreadable};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Time between attempts to open a locked database.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Column names of one of the collector's item tables.
struct TableLayout {
    source_type: SourceType,
    table: &'static str,
    url: &'static str,
    name: &'static str,
    /// Names the item whose look the icon shows.
    shape_name: Option<&'static str>,
    description: &'static str,
    part: &'static str,
    slot: &'static str,
}

const TABLES: [TableLayout; 2] = [
    TableLayout {
        source_type: SourceType::EquipmentShape,
        table: "equipment_shape_items",
        url: "item_shape_icon_url",
        name: "item_name",
        shape_name: Some("item_shape_name"),
        description: "item_description",
        part: "item_equipment_part",
        slot: "equipment_slot",
    },
    TableLayout {
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

/// A database that another program may have locked when it is opened.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    only: OnlySource,
    run_id: Option<String>,
    naming: EquipmentName,
    opened: Option<ItemDatabase>,
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

    /// Opens the database unless it is locked. Returns the lock's holder if it is.
    fn try_to_open(&mut self) -> Result<Option<String>> {
        let run_id = self.run_id.clone();
        match ItemDatabase::open(&self.path, self.only, run_id, self.naming) {
            Ok(database) => {
                self.opened = Some(database);
                Ok(None)
            }
            Err(OpenError::Locked(holder)) => Ok(Some(holder)),
            Err(OpenError::Unusable(error)) => Err(error),
        }
    }
}

impl ItemSource for Source {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        loop {
            if let Some(database) = &self.opened {
                return database.read(sink);
            }
            let Some(holder) = self.try_to_open()? else {
                continue;
            };
            let path = self.path.display();
            let text = said!(
                "{path} is locked by {holder}; a run waits until it is free",
                "{path}: {holder}{이} 잠갔습니다. 풀릴 때까지 실행이 기다립니다"
            );
            if sink(RowEvent::Locked(text)).is_break() {
                return Ok(());
            }
            thread::sleep(RETRY_INTERVAL);
        }
    }
}

/// Why a database could not be opened.
enum OpenError {
    /// Another program has locked it; names that program.
    Locked(String),
    Unusable(Error),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Unusable(error)
    }
}

#[derive(Debug)]
struct ItemDatabase {
    path: PathBuf,
    base: PathBuf,
    connection: Connection,
    /// It is read without locks, so concurrent changes go unnoticed.
    is_unlocked: bool,
    run_id: Option<String>,
    naming: EquipmentName,
    /// Type, table and query of each table, in reading order.
    queries: Vec<(SourceType, &'static str, String)>,
    /// Reported when reading starts.
    warnings: Vec<Said>,
}

impl ItemDatabase {
    fn open(
        path: &Path,
        only: OnlySource,
        run_id: Option<String>,
        naming: EquipmentName,
    ) -> Result<Self, OpenError> {
        let Some((connection, is_unlocked)) = connect(path)? else {
            return Err(OpenError::Locked(connect::holder(path)));
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
        for layout in TABLES
            .iter()
            .filter(|layout| is_selected(only, layout.source_type))
        {
            let columns = database.columns(layout.table)?;
            if columns.is_empty() {
                absent.push(layout.table);
                continue;
            }
            let query = database.query(layout, &columns, &assets)?;
            database
                .queries
                .push((layout.source_type, layout.table, query));
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

    /// Lists the columns of a table in lower case; empty if the table does not exist.
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

    /// Builds the query for a table: one row per item, in table order, joined with its asset.
    /// [`read_row`](Self::read_row) knows the columns.
    fn query(&self, layout: &TableLayout, columns: &[String], assets: &[String]) -> Result<String> {
        let has = |name: &str| columns.iter().any(|column| column == name);
        let mut required = vec![layout.url];
        if !has(layout.name) && !layout.shape_name.is_some_and(has) {
            required.push(layout.name);
        }
        if self.run_id.is_some() {
            required.push("run_id");
        }
        self.require(layout.table, columns, &required)?;

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
            .prepare(&format!("SELECT rowid FROM {}", layout.table))
            .is_ok();
        let rowid = if ordered { "i.rowid" } else { "NULL" };
        // The plus stops SQLite from using the index on run_id, whose order is not the table's.
        Ok(format!(
            "SELECT {rowid}, i.{url}, {name}, {shape_name}, {description}, {part}, {slot}, {ocid}, \
             a.url, a.local_path, {sha256}, {error} \
             FROM {table} AS i LEFT JOIN icon_assets AS a ON a.url = i.{url} \
             {filter} {order}",
            url = layout.url,
            name = item(layout.name),
            shape_name = layout.shape_name.map_or("NULL".to_owned(), item),
            description = item(layout.description),
            part = item(layout.part),
            slot = item(layout.slot),
            ocid = item("ocid"),
            sha256 = asset("sha256"),
            error = asset("error"),
            table = layout.table,
            filter = self.run_id.as_ref().map_or("", |_| "WHERE +i.run_id = ?1"),
            order = if ordered { "ORDER BY i.rowid" } else { "" },
        ))
    }

    /// Fails if the requested run does not exist; the hint lists the latest runs.
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
                known.extend(text(row, 0, &mut TextDecoder::default()).and_then(Result::ok));
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
            true => "the database has no runs".to_owned(),
            false => format!("its latest runs: {}", shown.join(", ")),
        }))
    }
}

impl ItemDatabase {
    /// Converts a row to events; empty if the row is not an item. The error says why it cannot be
    /// used.
    fn read_row(
        &self,
        row: &Row,
        place: &str,
        source_type: SourceType,
        decoder: &mut TextDecoder,
    ) -> Result<Vec<RowEvent>, Said> {
        // A bad value in these columns refuses the row; one in optional columns is ignored.
        let mut required = |index, what: &str| {
            let text = text(row, index, decoder).transpose();
            text.map_err(|Phrase { english, korean }| {
                said!("its {what} {english}", "{what}: {korean}")
            })
        };
        let url = one_line(required(1, "icon URL")?);
        let mut names = [required(2, "name")?, required(3, "name")?];
        if self.naming == EquipmentName::Shape {
            names.reverse();
        }
        let local_path = required(9, "icon's local_path")?.filter(|path| !path.trim().is_empty());
        let Some(url) = url else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        let mut optional = |index, what: &str| match text(row, index, decoder)? {
            Ok(text) => Some(text),
            Err(why) => {
                let Phrase { english, korean } = why;
                let what = said!(
                    "its {what} {english} and is ignored",
                    "{what}: {korean}. 빼고 읽습니다"
                );
                events.push(RowEvent::Noted(self.note(place, what)));
                None
            }
        };
        let has_name = names.iter().flatten().any(|name| !name.trim().is_empty());
        let mut names = names.into_iter().filter_map(one_line);
        let Some(item_name) = names.next() else {
            return match has_name {
                true => Err(said!(
                    "its name contains only blanks and invisible characters",
                    "이름이 공백과 보이지 않는 글자뿐입니다"
                )),
                false => Ok(Vec::new()),
            };
        };
        let other_name = names.next().filter(|other| *other != item_name);
        // The description is about the item, not about the item whose look it has.
        let describes_other_item = self.naming == EquipmentName::Shape && other_name.is_some();
        let asset = one_line(optional(8, "icon's URL"));
        let mut missing = match (asset, one_line(optional(11, "icon's error"))) {
            (None, _) => Some(FailureDetail::NeverFetched),
            (_, Some(why)) => Some(FailureDetail::FetchFailed { why }),
            _ => Some(FailureDetail::NoIconFile),
        };
        let claimed_sha256 = one_line(optional(10, "icon's sha256"));
        let item_part = part(one_line(optional(5, "part")), one_line(optional(6, "slot")));
        let ocid = one_line(optional(7, "ocid"));
        let description = optional(4, "description");
        let mut file = None;
        if let Some(path) = &local_path {
            if has_control(path) {
                let why = FailureDetail::ControlCharactersInPath;
                events.push(RowEvent::Noted(self.note(place, why.said())));
                missing = Some(why);
            } else {
                missing = None;
                let (found, how) = file_at(&self.base, path);
                let how = how.map(|how| RowEvent::Noted(self.note(place, how.into())));
                events.extend(how);
                file = Some(found.into());
            }
        }
        let item = Item {
            // Without a file the URL identifies the image.
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
                .filter(|_| !describes_other_item),
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
        let mut decoder = TextDecoder::default();
        for (source_type, table, query) in &self.queries {
            let mut statement = self.connection.prepare(query).map_err(failed)?;
            let mut rows = statement
                .query(params_from_iter(&self.run_id))
                .map_err(failed)?;
            let mut before = None;
            while let Some(row) = rows.next().map_err(failed)? {
                let rowid: Option<i64> = row.get(0).map_err(failed)?;
                // A second asset with the same URL.
                if rowid.is_some() && rowid == before {
                    continue;
                }
                before = rowid;
                let place = match rowid {
                    Some(rowid) => format!("{table}, row {rowid}"),
                    None => (*table).to_owned(),
                };
                let events = self.read_row(row, &place, *source_type, &mut decoder);
                let events =
                    events.unwrap_or_else(|why| vec![RowEvent::Refused(self.note(&place, why))]);
                let flow = decoder.end_row(&self.path, sink);
                if flow.is_break() || events.into_iter().any(|event| sink(event).is_break()) {
                    return Ok(());
                }
            }
        }
        decoder.end(&self.path, sink);
        if self.is_unlocked && connect::is_in_use(&self.path) {
            let path = self.path.display();
            let text = said!(
                "{path}: another program opened it while it was read; run again with --resume once \
                 that program is done, so that no rows are missing",
                "{path}: 읽는 동안 다른 프로그램이 열었습니다. 그쪽이 끝나면 --resume으로 다시 실행해 \
                 빠진 것이 없게 하세요"
            );
            // `Break` has no effect at the end.
            let _ = sink(RowEvent::Warning(text));
        }
        Ok(())
    }
}

/// Follows the name of a column.
const NOT_TEXT: Phrase = Phrase::new("is neither UTF-8 nor CP949", "UTF-8도 CP949도 아닙니다");

fn part(part: Option<String>, slot: Option<String>) -> Option<String> {
    match (part, slot) {
        (Some(part), Some(slot)) if part != slot => Some(format!("{part}/{slot}")),
        (part, slot) => part.or(slot),
    }
}

/// Converts a value to text. The error says why it is not text, since SQLite allows any value in any
/// column.
fn text(row: &Row, index: usize, decoder: &mut TextDecoder) -> Option<Result<String, Phrase>> {
    match row.get_ref(index).ok()? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(Ok(number.to_string())),
        ValueRef::Real(number) => Some(Ok(number.to_string())),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) if bytes.len() > MAX_ROW => {
            Some(Err(TOO_LONG))
        }
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            let text = decoder.read(bytes).ok_or(NOT_TEXT);
            Some(text.map(Cow::into_owned))
        }
    }
}
