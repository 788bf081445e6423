//! Imports a `labels.jsonl` that something else has written, such as an earlier Python run: its
//! records are committed ones, its lines are exported byte for byte until an operator commits again.
//!
//! Nothing of it is lost. A line that cannot be read moves to `labels_unread.jsonl`, and its image,
//! where it can be told, has a record that says so. A line that another one or the journal stands
//! for moves to `labels_kept.jsonl`.

mod ahead;
mod line;
mod tally;

use super::errors::doing;
use super::tables::drafts::{DraftRow, insert_draft};
use super::tables::groups::{
    GroupRow, find_by_hash, find_by_path, insert_group, link, order_of, path_key, read_group,
};
use super::tables::meta::{Content, bump};
use super::tables::records::insert_record_row;
use super::tables::states::StateWriter;
use crate::error::Result;
use crate::outdir::{FileNotice, KEPT, UNREAD, file, keep_lines, refuse_irregular};
use crate::record::{
    CommittedBy, CurrentState, Field, GroupId, Item, Labels, Reason, Record, SourceType, Vocabulary,
};
use crate::text::encoding::Encoding;
use crate::text::{clean_text, for_line, hex, utc};
use crate::threads;
use ahead::{Decoded, Found, ReadLine, draft_of, reasons_under};
use crossbeam_channel::bounded;
use line::{Fragment, Line};
use rusqlite::{Connection, params};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread;
use tally::Tally;

/// Where a group stands until a source names it: behind everything that a source has named.
const AFTER_SOURCES: i64 = 1 << 40;

/// Lines read ahead of the journal.
const LINES_AHEAD: usize = 256;

/// Which one counts where a line and the journal's record differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefer {
    Journal,
    /// The journal was damaged; the file is what is known to be good.
    File,
}

/// What became of a file of records.
#[derive(Debug)]
pub struct Imported {
    /// Of the file as it was read.
    pub sha256: String,
    /// The file is what an export would write now.
    pub is_current: bool,
    pub notices: Vec<FileNotice>,
}

/// A `labels.jsonl` to be imported.
#[derive(Debug, Clone, Copy)]
pub struct FileOfRecords<'a> {
    pub path: &'a Path,
    /// The SHA-256 that it has where there is nothing new in it.
    pub known: Option<&'a str>,
    /// It is older than the journal, because the last run was cut off.
    pub is_behind: bool,
    pub prefer: Prefer,
}

/// Imports what a file of records holds that the journal does not know; see
/// [`super::Journal::import`].
pub fn import(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    outdir: &Path,
    file_of_records: &FileOfRecords,
) -> Result<Option<Imported>> {
    let path = file_of_records.path;
    let Some(sha256) = file_sha256(path)? else {
        return Ok(None);
    };
    if file_of_records.known == Some(sha256.as_str()) {
        return Ok(None);
    }
    let transaction = db.transaction().map_err(doing("importing labels"))?;
    let mut import = Import {
        db: &transaction,
        vocabulary,
        states: StateWriter::new(&transaction),
        prefer: file_of_records.prefer,
        is_behind: file_of_records.is_behind,
        twins: equal_labels(&transaction)?,
        known_lines: known_lines(&transaction)?,
        met: HashSet::new(),
        fragments: Vec::new(),
        unread: Vec::new(),
        kept: Vec::new(),
        last: None,
        is_ordered: true,
        tally: Tally::default(),
    };
    thread::scope(|scope| {
        let (lines, ahead) = bounded(LINES_AHEAD);
        let reader = threads::spawn_scoped(scope, "reading labels", move || {
            ahead::read(path, vocabulary, &lines)
        })?;
        // The receiver is dropped at the end of the loop, which ends the reader.
        let imported = ahead.into_iter().try_for_each(|line| import.line(line));
        let read = reader.join();
        let read = read.map_err(|panic| threads::panicked("reading labels", panic.as_ref()))?;
        imported.and(read)
    })?;
    import.mark_unread_images()?;
    let Import {
        states,
        unread,
        kept,
        is_ordered,
        tally,
        ..
    } = import;
    states.finish()?;
    // Before the journal has imported the file: what is cut off in between is done once more,
    // and adds nothing twice.
    keep_lines(outdir, UNREAD, &unread)?;
    keep_lines(outdir, KEPT, &kept)?;
    let is_whole = tally.exact == tally.lines && tally.lines == exported(&transaction)?;
    let is_current = is_whole && is_ordered;
    if tally.imported > 0 || !is_current {
        bump(&transaction, Content::Records)?;
    }
    transaction.commit().map_err(doing("importing labels"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Some(Imported {
        sha256,
        is_current,
        notices: tally.notices(&name),
    }))
}

/// The SHA-256 of a file; `None` where there is none.
pub(crate) fn file_sha256(path: &Path) -> Result<Option<String>> {
    let reading = file("reading", path);
    if let Ok(false) = path.try_exists() {
        return Ok(None);
    }
    refuse_irregular(path)?;
    let mut opened = File::open(path).map_err(&reading)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = opened.read(&mut chunk).map_err(&reading)?;
        if read == 0 {
            return Ok(Some(hex(&hash.finalize())));
        }
        hash.update(&chunk[..read]);
    }
}

/// How many lines an export has.
fn exported(db: &Connection) -> Result<usize> {
    let lines: i64 = db
        .query_row(
            "SELECT count(*) FROM heads h JOIN records r ON r.id = h.record
             WHERE r.made_by <> 'unread'",
            [],
            |row| row.get(0),
        )
        .map_err(doing("counting"))?;
    Ok(usize::try_from(lines).unwrap_or_default())
}

/// Labels that more than one record holds.
fn equal_labels(db: &Connection) -> Result<HashSet<String>> {
    db.prepare_cached(
        "SELECT r.label_key FROM heads h JOIN records r ON r.id = h.record
         WHERE r.label_key <> '' AND r.made_by <> 'unread'
         GROUP BY r.label_key HAVING count(*) > 1",
    )
    .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
    .map_err(doing("looking for equal labels"))
}

/// The lines of earlier files that were ever imported, each with its group.
fn known_lines(db: &Connection) -> Result<HashMap<String, GroupId>> {
    db.prepare_cached("SELECT raw, group_id FROM records WHERE raw IS NOT NULL")
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, GroupId(row.get(1)?))))?
                .collect()
        })
        .map_err(doing("reading the lines of earlier files"))
}

struct Import<'a> {
    db: &'a Connection,
    vocabulary: &'a Vocabulary,
    states: StateWriter<'a>,
    prefer: Prefer,
    is_behind: bool,
    /// Labels that more than one of the journal's records holds.
    twins: HashSet<String>,
    known_lines: HashMap<String, GroupId>,
    /// Groups that a line of this file has given its record.
    met: HashSet<GroupId>,
    /// What is left of lines that cannot be read.
    fragments: Vec<(u64, Fragment)>,
    unread: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
    /// Where the group of the last line stands in the source.
    last: Option<(i64, GroupId)>,
    /// The lines so far are in source order.
    is_ordered: bool,
    tally: Tally,
}

/// A record as it is stored.
struct Stored {
    record: String,
    raw: Option<String>,
    label_key: String,
    by: String,
}

impl Import<'_> {
    fn line(&mut self, read: ReadLine) -> Result<()> {
        let ReadLine {
            number,
            bytes,
            decoded,
        } = read;
        self.tally.lines += 1;
        let Decoded::Text {
            text,
            encoding,
            found,
        } = decoded
        else {
            let text = String::from_utf8_lossy(&bytes);
            return self.unreadable(number, "its encoding is not known", &bytes, &text);
        };
        // UTF-16 would cut the file that it is kept in into other lines; its text is the same.
        let whole = match encoding {
            Encoding::Utf16 => text.as_bytes(),
            Encoding::Utf8 | Encoding::Cp949 => &bytes,
        };
        let found = match found {
            Ok(found) => found,
            Err(why) => return self.unreadable(number, &why, whole, &text),
        };
        let alone = found.len() == 1;
        match encoding {
            Encoding::Utf8 => {}
            Encoding::Utf16 => self.tally.utf16 = true,
            Encoding::Cp949 => self.tally.cp949 += 1,
        }
        for Found { line, draft } in found {
            let exact = encoding == Encoding::Utf8 && line.text == text;
            if line.non_finite {
                self.tally.non_finite += 1;
                self.note(number, "NaN or Infinity became null", &text)?;
            }
            match (&line.record, draft) {
                (Ok(record), Some(draft)) => self.record(number, &line, record, draft, exact)?,
                (Ok(_), None) => {}
                (Err(why), _) => {
                    let bytes = if alone { whole } else { line.text.as_bytes() };
                    self.unreadable(number, why, bytes, &line.text)?;
                }
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        number: u64,
        line: &Line,
        record: &Record,
        draft: DraftRow,
        exact: bool,
    ) -> Result<()> {
        let id = self.group_of(number, record)?;
        let place = Some((order_of(self.db, id)?, id));
        self.is_ordered &= self.last < place;
        self.last = place;
        if record.image_sha256.is_none() && self.is_of_another(id, line) {
            // A copy of a line about the picture that was at its path then.
            return Ok(());
        }
        let mut current = self.states.read(id)?;
        let stored = match current.review.line.and_then(|line| line.record) {
            Some(record) => Some(self.stored(record)?),
            None => None,
        };
        // A placeholder for a line that could not be read gives way to one that can.
        let stored = stored.filter(|stored| stored.by != CommittedBy::Unread.name());
        match &stored {
            Some(stored) if self.met.contains(&id) => {
                if stored.raw.as_deref() == Some(line.text.as_str()) {
                    return Ok(());
                }
                self.kept.extend(stored.raw.clone().map(String::into_bytes));
                self.tally.doubled += 1;
            }
            Some(stored) => {
                // An export writes the path at which the picture is; any other was typed.
                let is_own_path = find_by_path(self.db, &record.image_path)? == Some(id);
                let stands = stored.raw.as_deref() == Some(line.text.as_str())
                    || is_own_path && line::same(&line.value, &stored.value());
                if stands {
                    self.tally.exact +=
                        usize::from(exact && stored.is_exported_as(line, &self.twins));
                    return Ok(());
                }
                if is_own_path && self.was_a_record(id, &line.value)? {
                    // A copy of an earlier line; the journal knows better.
                    return Ok(());
                }
                if self.prefer == Prefer::Journal {
                    self.kept.push(line.text.clone().into_bytes());
                    self.tally.changed += 1;
                    return Ok(());
                }
            }
            // The export lacks the line because a commit has withdrawn the record.
            None if self.is_behind && self.was_a_record(id, &line.value)? => return Ok(()),
            None => {}
        }
        let draft = self.checked(id, record, draft)?;
        let by = CommittedBy::Import;
        self.commit(id, &mut current, by, record, &draft, Some(&line.text))?;
        if self.met.insert(id) {
            self.tally.imported += 1;
            self.tally.exact += usize::from(exact);
        }
        Ok(())
    }

    /// The group that a line speaks of; a new one where the journal knows none. A line that names
    /// other bytes than the journal last met at its path is not about the picture of then.
    fn group_of(&self, number: u64, record: &Record) -> Result<GroupId> {
        let item = item_of(record);
        let path = path_key(&item);
        let by_path = find_by_path(self.db, &path)?;
        if let Some(id) = by_path
            && !self.is_of_other_bytes(id, record)?
        {
            return Ok(id);
        }
        // As hashes are written here.
        let sha256 = record.image_sha256.as_ref().map(|hash| hash.to_lowercase());
        let by_hash = match &sha256 {
            Some(sha256) => find_by_hash(self.db, sha256)?,
            None => None,
        };
        if let Some(id) = by_hash {
            return Ok(id);
        }
        let row = GroupRow {
            order: AFTER_SOURCES.saturating_add_unsigned(number),
            image_path: record.image_path.clone(),
            sha256: sha256.clone(),
            item,
            other_names: Vec::new(),
            rows: 1,
        };
        let id = insert_group(self.db, &row)?;
        // Which of two pictures is at the path now, only the source can tell.
        if by_path.is_none() {
            link(self.db, &path, id)?;
        }
        Ok(id)
    }

    /// Whether the journal knows the very line as one of a group that is not at its path now.
    fn is_of_another(&self, id: GroupId, line: &Line) -> bool {
        let known = self.known_lines.get(&line.text);
        self.prefer == Prefer::Journal && known.is_some_and(|known| *known != id)
    }

    fn is_of_other_bytes(&self, id: GroupId, record: &Record) -> Result<bool> {
        let (known, named) = (read_group(self.db, id)?.sha256, &record.image_sha256);
        let known = known.zip(named.as_ref());
        Ok(known.is_some_and(|(known, named)| !known.eq_ignore_ascii_case(named)))
    }

    /// Makes what the record says the group's line.
    fn commit(
        &mut self,
        id: GroupId,
        current: &mut CurrentState,
        by: CommittedBy,
        record: &Record,
        draft: &DraftRow,
        raw: Option<&str>,
    ) -> Result<()> {
        if current.failure.is_some() {
            bump(self.db, Content::Failures)?;
        }
        let version = insert_draft(self.db, id, draft)?;
        let record = insert_record_row(self.db, id, version, self.states.now, by, record, raw)?;
        current.imported(version, record, by);
        self.states.write_draft(id, current, Some(draft))
    }

    /// The draft, checked under the name that its item has by now.
    fn checked(&self, group: GroupId, record: &Record, mut draft: DraftRow) -> Result<DraftRow> {
        let name = read_group(self.db, group)?.item.item_name;
        if name != clean_text(&record.item_name) {
            draft.reasons = reasons_under(&draft, self.vocabulary, &name);
        }
        Ok(draft)
    }

    fn stored(&self, record: i64) -> Result<Stored> {
        self.db
            .prepare_cached("SELECT record, raw, label_key, made_by FROM records WHERE id = ?1")
            .and_then(|mut select| select.query_row([record], stored_row))
            .map_err(doing("reading a record"))
    }

    /// Whether the line is one that the journal itself has exported for the group at some time.
    fn was_a_record(&self, id: GroupId, line: &Value) -> Result<bool> {
        let records: Vec<Stored> = self
            .db
            .prepare_cached(
                "SELECT record, raw, label_key, made_by FROM records WHERE group_id = ?1",
            )
            .and_then(|mut select| select.query_map([id.0], stored_row)?.collect())
            .map_err(doing("reading the records"))?;
        Ok(records
            .iter()
            .any(|stored| line::same(line, &stored.value())))
    }

    fn unreadable(&mut self, number: u64, why: &str, bytes: &[u8], text: &str) -> Result<()> {
        self.note(number, why, text)?;
        self.tally.unread.push((number, for_line(why)));
        self.unread.push(bytes.to_vec());
        self.fragments
            .extend(line::fragment(text).map(|fragment| (number, fragment)));
        Ok(())
    }

    /// Gives the images of lines that cannot be read a record that says so, which no export holds,
    /// where no other line gave them one.
    fn mark_unread_images(&mut self) -> Result<()> {
        for (number, fragment) in std::mem::take(&mut self.fragments) {
            let record = placeholder(fragment);
            let id = self.group_of(number, &record)?;
            let mut current = self.states.read(id)?;
            if current.review.line.is_some() {
                continue;
            }
            let name = read_group(self.db, id)?.item.item_name;
            let draft = draft_of(&record, self.vocabulary, &name);
            let by = CommittedBy::Unread;
            self.commit(id, &mut current, by, &record, &draft, None)?;
        }
        Ok(())
    }

    fn note(&self, number: u64, why: &str, text: &str) -> Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO import_faults (at, line, why, text) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    utc(self.states.now),
                    i64::try_from(number).unwrap_or(i64::MAX),
                    why,
                    text,
                ])
            })
            .map_err(doing("importing labels"))?;
        Ok(())
    }
}

fn stored_row(row: &rusqlite::Row) -> rusqlite::Result<Stored> {
    Ok(Stored {
        record: row.get(0)?,
        raw: row.get(1)?,
        label_key: row.get(2)?,
        by: row.get(3)?,
    })
}

impl Stored {
    fn value(&self) -> Value {
        let text = self.raw.as_ref().unwrap_or(&self.record);
        // What is no JSON equals no line.
        serde_json::from_str(text).unwrap_or_default()
    }

    fn is_exported_as(&self, line: &Line, twins: &HashSet<String>) -> bool {
        match &self.raw {
            Some(raw) => *raw == line.text,
            None => self.record == line.text && !twins.contains(&self.label_key),
        }
    }
}

fn placeholder(fragment: Fragment) -> Record {
    Record {
        image_path: fragment.image_path,
        image_sha256: fragment.image_sha256,
        source_type: SourceType::Cash,
        item_name: fragment.item_name.unwrap_or_default(),
        item_description: None,
        labels: Labels::default().with(Field::LabelKo, fragment.label_ko),
        quality_flags: crate::record::QualityFlags {
            is_uncertain: true,
            reasons: vec![Reason::UnreadLine],
        },
        model: String::new(),
        prompt_version: String::new(),
        generated_at: String::new(),
    }
}

/// The item as a source would bring it: its name in the form that a new record has.
fn item_of(record: &Record) -> Item {
    Item {
        image_path: record.image_path.clone(),
        file: None,
        claimed_sha256: record.image_sha256.clone(),
        source_type: record.source_type,
        item_name: clean_text(&record.item_name),
        item_description: record.item_description.clone(),
        item_part: None,
        image_url: None,
        ocid: None,
        ranking: None,
    }
}
