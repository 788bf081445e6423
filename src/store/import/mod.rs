//! Imports a `labels.jsonl` that another program wrote, such as an earlier Python run. Its records
//! count as committed, and its lines are exported byte for byte until an operator commits again.
//!
//! No line is lost. An unreadable line moves to `labels_unread.jsonl`, and its image, if it can be
//! identified, gets a placeholder record. A line that a later line or the journal supersedes moves
//! to `labels_kept.jsonl`.

mod ahead;
mod line;
mod tally;

use super::errors::journal_error;
use super::tables::drafts::{DraftRow, insert_draft};
use super::tables::groups::{
    GroupRow, assign_path, find_by_hash, find_by_path, insert_group, order_of, path_key, read_group,
};
use super::tables::meta::{Content, bump_version};
use super::tables::records::insert_record_row;
use super::tables::states::StateWriter;
use crate::error::Result;
use crate::outdir::{KEPT, UNREAD, file_error, keep_lines, refuse_irregular};
use crate::record::{
    CommittedBy, CurrentState, Field, FileNotice, GroupId, Item, Labels, Reason, Record,
    SourceType, Vocabulary,
};
use crate::text::encoding::Encoding;
use crate::text::{clean_text, for_line, hex, utc};
use crate::threads;
use ahead::{Decoded, ParsedRecord, ReadLine, draft_of, reasons_with_name};
use crossbeam_channel::bounded;
use line::{Fragment, ImportedLine};
use rusqlite::{Connection, params};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread;
use tally::ImportCounts;

/// Position of a group that no source has named yet: after all groups of a source.
const AFTER_SOURCES: i64 = 1 << 40;

/// How many lines are read ahead.
const LINES_AHEAD: usize = 256;

/// Which one wins if a line and the journal's record differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefer {
    Journal,
    /// The journal lost records: a line that it does not have wins.
    NewLines,
    /// The journal may be older than the file: every line wins.
    File,
}

/// Result of an import.
#[derive(Debug)]
pub struct Imported {
    /// Hash of the file that was read.
    pub sha256: String,
    /// The file equals what an export would write now.
    pub is_current: bool,
    pub notices: Vec<FileNotice>,
}

/// A `labels.jsonl` to be imported.
#[derive(Debug, Clone, Copy)]
pub struct LabelsFile<'a> {
    pub path: &'a Path,
    /// Hash of the file as last exported or imported. A file with this hash has nothing new.
    pub known_sha256: Option<&'a str>,
    /// The file is older than the journal, because the last run was interrupted.
    pub is_stale: bool,
    pub prefer: Prefer,
}

/// Imports the records of a labels file that the journal does not have, see
/// [`super::Journal::import`].
pub fn import(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    outdir: &Path,
    labels_file: &LabelsFile,
) -> Result<Option<Imported>> {
    let path = labels_file.path;
    let Some(sha256) = file_sha256(path)? else {
        return Ok(None);
    };
    if labels_file.known_sha256 == Some(sha256.as_str()) {
        return Ok(None);
    }
    let transaction = db
        .transaction()
        .map_err(journal_error("importing labels"))?;
    let mut import = Import {
        db: &transaction,
        vocabulary,
        states: StateWriter::new(&transaction),
        prefer: labels_file.prefer,
        is_stale: labels_file.is_stale,
        duplicate_labels: duplicate_labels(&transaction)?,
        known_lines: known_lines(&transaction)?,
        imported_groups: HashSet::new(),
        fragments: Vec::new(),
        unread: Vec::new(),
        kept: Vec::new(),
        last: None,
        is_ordered: true,
        counts: ImportCounts::default(),
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
        counts,
        ..
    } = import;
    states.finish()?;
    // Before the import is committed: if the run is killed in between, the next import repeats
    // this, and no line is kept twice.
    keep_lines(outdir, UNREAD, &unread)?;
    keep_lines(outdir, KEPT, &kept)?;
    let is_complete = counts.exact == counts.lines && counts.lines == exported_lines(&transaction)?;
    let is_current = is_complete && is_ordered;
    if counts.imported > 0 || !is_current {
        bump_version(&transaction, Content::Records)?;
    }
    transaction
        .commit()
        .map_err(journal_error("importing labels"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Some(Imported {
        sha256,
        is_current,
        notices: counts.notices(&name),
    }))
}

/// Returns the SHA-256 of a file; `None` if there is none.
pub(crate) fn file_sha256(path: &Path) -> Result<Option<String>> {
    let reading = file_error("reading", path);
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

/// Returns how many lines an export would have.
fn exported_lines(db: &Connection) -> Result<usize> {
    let lines: i64 = db
        .query_row(
            "SELECT count(*) FROM heads WHERE record IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .map_err(journal_error("counting"))?;
    Ok(usize::try_from(lines).unwrap_or_default())
}

/// Returns the keys of labels that more than one record has.
fn duplicate_labels(db: &Connection) -> Result<HashSet<String>> {
    db.prepare_cached(
        "SELECT r.label_key FROM heads h JOIN records r ON r.id = h.record
         WHERE r.label_key <> ''
         GROUP BY r.label_key HAVING count(*) > 1",
    )
    .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
    .map_err(journal_error("looking for equal labels"))
}

/// Returns every line that was ever imported, with its group.
fn known_lines(db: &Connection) -> Result<HashMap<String, GroupId>> {
    db.prepare_cached("SELECT raw, group_id FROM records WHERE raw IS NOT NULL")
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, GroupId(row.get(1)?))))?
                .collect()
        })
        .map_err(journal_error("reading the imported lines"))
}

struct Import<'a> {
    db: &'a Connection,
    vocabulary: &'a Vocabulary,
    states: StateWriter<'a>,
    prefer: Prefer,
    is_stale: bool,
    /// Keys of labels that more than one of the journal's records has.
    duplicate_labels: HashSet<String>,
    known_lines: HashMap<String, GroupId>,
    /// Groups whose record came from this file.
    imported_groups: HashSet<GroupId>,
    /// Readable parts of unreadable lines.
    fragments: Vec<(u64, Fragment)>,
    unread: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
    /// Source position of the last line's group.
    last: Option<(i64, GroupId)>,
    /// The lines so far are in source order.
    is_ordered: bool,
    counts: ImportCounts,
}

/// A stored record.
struct ExistingRecord {
    record: String,
    raw: Option<String>,
    label_key: String,
}

impl Import<'_> {
    fn line(&mut self, read: ReadLine) -> Result<()> {
        let ReadLine {
            number,
            bytes,
            decoded,
        } = read;
        self.counts.lines += 1;
        let Decoded::Text {
            text,
            encoding,
            records,
        } = decoded
        else {
            let text = String::from_utf8_lossy(&bytes);
            return self.unreadable(number, "its encoding is unknown", &bytes, &text);
        };
        // UTF-16 bytes would break the lines of the file in which they are kept, so keep its text.
        let kept_bytes = match encoding {
            Encoding::Utf16 => text.as_bytes(),
            Encoding::Utf8 | Encoding::Cp949 => &bytes,
        };
        let records = match records {
            Ok(records) => records,
            Err(why) => return self.unreadable(number, &why, kept_bytes, &text),
        };
        let is_only_record = records.len() == 1;
        match encoding {
            Encoding::Utf8 => {}
            Encoding::Utf16 => self.counts.utf16 = true,
            Encoding::Cp949 => self.counts.cp949 += 1,
        }
        for ParsedRecord { line, draft } in records {
            let exact = encoding == Encoding::Utf8 && line.text == text;
            if line.non_finite {
                self.counts.non_finite += 1;
                self.note(number, "NaN or Infinity became null", &text)?;
            }
            match (&line.record, draft) {
                (Ok(record), Some(draft)) => self.record(number, &line, record, draft, exact)?,
                (Ok(_), None) => {}
                (Err(why), _) => {
                    let bytes = if is_only_record {
                        kept_bytes
                    } else {
                        line.text.as_bytes()
                    };
                    self.unreadable(number, why, bytes, &line.text)?;
                }
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        number: u64,
        line: &ImportedLine,
        record: &Record,
        draft: DraftRow,
        exact: bool,
    ) -> Result<()> {
        let id = self.group_of(number, record)?;
        let place = Some((order_of(self.db, id)?, id));
        self.is_ordered &= self.last < place;
        self.last = place;
        if record.image_sha256.is_none() && self.is_of_other_group(id, line) {
            // A copy of a line about the image that was at this path earlier.
            return Ok(());
        }
        let mut current = self.states.read(id)?;
        let stored = match current.review.record_line().and_then(|line| line.record) {
            Some(record) => Some(self.stored(record)?),
            None => None,
        };
        match &stored {
            Some(stored) if self.imported_groups.contains(&id) => {
                if stored.raw.as_deref() == Some(line.text.as_str()) {
                    return Ok(());
                }
                self.kept.extend(stored.raw.clone().map(String::into_bytes));
                self.counts.duplicate_images += 1;
            }
            Some(stored) => {
                // An export writes the current path of the image; any other path was edited by
                // hand.
                let is_own_path = find_by_path(self.db, &record.image_path)? == Some(id);
                let is_unchanged = stored.raw.as_deref() == Some(line.text.as_str())
                    || is_own_path && line::is_same(&line.value, &stored.value());
                if is_unchanged {
                    self.counts.exact +=
                        usize::from(exact && stored.is_exported_as(line, &self.duplicate_labels));
                    return Ok(());
                }
                if is_own_path && self.is_outdated(id, &line.value)? {
                    return Ok(());
                }
                if self.prefer == Prefer::Journal {
                    self.kept.push(line.text.clone().into_bytes());
                    self.counts.changed += 1;
                    return Ok(());
                }
            }
            // A commit removed the record after the file was written.
            None if self.is_stale && self.is_outdated(id, &line.value)? => return Ok(()),
            None => {}
        }
        let draft = self.rechecked(id, record, draft)?;
        let by = CommittedBy::Import;
        self.commit(id, &mut current, by, record, &draft, Some(&line.text))?;
        if self.imported_groups.insert(id) {
            self.counts.imported += 1;
            self.counts.exact += usize::from(exact);
        }
        Ok(())
    }

    /// Returns the group of a line, or creates one. A line with another hash than the image that
    /// the journal last saw at its path is about another image.
    fn group_of(&self, number: u64, record: &Record) -> Result<GroupId> {
        let item = item_of(record);
        let path = path_key(&item);
        let by_path = find_by_path(self.db, &path)?;
        if let Some(id) = by_path
            && !self.is_of_other_bytes(id, record)?
        {
            return Ok(id);
        }
        let by_hash = match &record.image_sha256 {
            Some(sha256) => find_by_hash(self.db, sha256)?,
            None => None,
        };
        if let Some(id) = by_hash {
            return Ok(id);
        }
        let row = GroupRow {
            order: AFTER_SOURCES.saturating_add_unsigned(number),
            image_path: record.image_path.clone(),
            sha256: record.image_sha256.clone(),
            item,
            other_names: Vec::new(),
            rows: 1,
        };
        let id = insert_group(self.db, &row)?;
        // If the path is taken, only the source can tell which image is there now.
        if by_path.is_none() {
            assign_path(self.db, &path, None, id)?;
        }
        Ok(id)
    }

    /// Whether this exact line was imported for another group, whose image is no longer at the
    /// path.
    fn is_of_other_group(&self, id: GroupId, line: &ImportedLine) -> bool {
        let known = self.known_lines.get(&line.text);
        self.prefer == Prefer::Journal && known.is_some_and(|known| *known != id)
    }

    /// Whether the record's hash differs from the group's.
    fn is_of_other_bytes(&self, id: GroupId, record: &Record) -> Result<bool> {
        let (known, claimed) = (read_group(self.db, id)?.sha256, &record.image_sha256);
        let both = known.zip(claimed.as_ref());
        Ok(both.is_some_and(|(known, claimed)| known != *claimed))
    }

    /// Stores a record as the group's line.
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
            bump_version(self.db, Content::Failures)?;
        }
        let version = insert_draft(self.db, id, draft)?;
        let record = insert_record_row(self.db, id, version, self.states.now, by, record, raw)?;
        current.imported(version, record, by);
        self.states.write_draft(id, current, Some(draft))
    }

    /// Checks the draft again if its item has another name now.
    fn rechecked(&self, group: GroupId, record: &Record, mut draft: DraftRow) -> Result<DraftRow> {
        let name = read_group(self.db, group)?.item.item_name;
        if name != clean_text(&record.item_name) {
            draft.reasons = reasons_with_name(&draft, self.vocabulary, &name);
        }
        Ok(draft)
    }

    fn stored(&self, record: i64) -> Result<ExistingRecord> {
        self.db
            .prepare_cached("SELECT record, raw, label_key FROM records WHERE id = ?1")
            .and_then(|mut select| select.query_row([record], stored_row))
            .map_err(journal_error("reading a record"))
    }

    /// Whether the line equals an earlier record of the group.
    fn is_outdated(&self, id: GroupId, line: &Value) -> Result<bool> {
        if self.prefer == Prefer::File {
            return Ok(false);
        }
        let records: Vec<ExistingRecord> = self
            .db
            .prepare_cached("SELECT record, raw, label_key FROM records WHERE group_id = ?1")
            .and_then(|mut select| select.query_map([id.0], stored_row)?.collect())
            .map_err(journal_error("reading the records"))?;
        Ok(records
            .iter()
            .any(|stored| line::is_same(line, &stored.value())))
    }

    fn unreadable(&mut self, number: u64, why: &str, bytes: &[u8], text: &str) -> Result<()> {
        self.note(number, why, text)?;
        self.counts.unread.push((number, for_line(why)));
        self.unread.push(bytes.to_vec());
        self.fragments
            .extend(line::fragment(text).map(|fragment| (number, fragment)));
        Ok(())
    }

    /// Stores placeholder records, which are never exported, for images of unreadable lines that
    /// have no other record.
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
            .map_err(journal_error("importing labels"))?;
        Ok(())
    }
}

fn stored_row(row: &rusqlite::Row) -> rusqlite::Result<ExistingRecord> {
    Ok(ExistingRecord {
        record: row.get(0)?,
        raw: row.get(1)?,
        label_key: row.get(2)?,
    })
}

impl ExistingRecord {
    fn value(&self) -> Value {
        let text = self.raw.as_ref().unwrap_or(&self.record);
        // Invalid JSON equals no line.
        serde_json::from_str(text).unwrap_or_default()
    }

    fn is_exported_as(&self, line: &ImportedLine, duplicate_labels: &HashSet<String>) -> bool {
        match &self.raw {
            Some(raw) => *raw == line.text,
            None => self.record == line.text && !duplicate_labels.contains(&self.label_key),
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

/// Returns the item as a source would describe it, with a cleaned name.
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
