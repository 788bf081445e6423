//! Tests of the journal, and their helpers.

mod audits;
mod crash;
mod exports;
mod families;
mod growth;
mod import;
mod journal;
mod learning;
mod migrations;
mod names;
mod opinions;
mod outdir;
mod power;
mod restoring;
mod steps;
mod versions;

use super::database::schema;
use super::{Journal, NewGroup, Upserted};
use crate::error::Result;
use crate::export::{Exports, MissingImages};
use crate::outdir::PARQUET;
use crate::record::testing::{VOCABULARY, item, labels, list, settings};
use crate::record::{
    Attempt, Change, Failure, FailureCode, FailureDetail, Field, FileNotice, GroupId, GroupState,
    Labels, Reason, Timings, TokenCounts, Vocabulary,
};
use crate::text::hex;
use crate::wording::Words;
use sha2::{Digest, Sha256};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

/// Copies the files of an open outdir, including the write-ahead log, as a killed process leaves
/// them.
fn as_if_killed(outdir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(outdir).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn vocabulary() -> Arc<Vocabulary> {
    Arc::clone(&VOCABULARY)
}

impl Journal {
    /// Returns the groups without an answer or a failure, in source order.
    fn waiting(&self) -> Result<Vec<GroupId>> {
        let mut groups = self.summaries()?;
        groups.retain(|group| group.state == GroupState::Waiting);
        Ok(groups.into_iter().map(|group| group.id).collect())
    }
}

/// A journal with its exports, as in the engine.
struct Outdir {
    journal: Journal,
    exports: Exports,
    notices: Vec<String>,
}

impl Outdir {
    fn export(&mut self) -> Result<()> {
        self.exports
            .update(&mut self.journal, MissingImages::AreGone)
    }

    fn export_with_parquet(&mut self) -> Result<()> {
        let mut exports = Exports::new(self.journal.outdir(), &[PARQUET]);
        exports.update(&mut self.journal, MissingImages::AreGone)?;
        self.notices.extend(notice_texts(exports.take_notices()));
        Ok(())
    }

    fn export_if_due(&mut self) -> Result<bool> {
        self.exports
            .update_if_due(&mut self.journal, MissingImages::AreGone)
    }

    fn take_notices(&mut self) -> Vec<String> {
        self.notices
            .extend(notice_texts(self.exports.take_notices()));
        std::mem::take(&mut self.notices)
    }
}

fn notice_texts(notices: Vec<FileNotice>) -> impl Iterator<Item = String> {
    let notices = notices.into_iter();
    notices.map(|notice| Words::ENGLISH.file_notice(&notice))
}

impl Deref for Outdir {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        &self.journal
    }
}

impl DerefMut for Outdir {
    fn deref_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }
}

fn open(outdir: &Path) -> Outdir {
    let mut journal = Journal::lock(outdir, vocabulary()).unwrap();
    let mut exports = Exports::new(outdir, &[]);
    exports.catch_up(&mut journal).unwrap();
    Outdir {
        journal,
        exports,
        notices: Vec::new(),
    }
}

/// The hash of the image of an item with this name.
fn sha(name: &str) -> String {
    hex(&Sha256::digest(name))
}

/// A group with a hash made from its name.
fn group(order: u64, name: &str) -> NewGroup {
    NewGroup {
        order,
        item: item(name),
        sha256: Some(sha(name)),
    }
}

fn attempt(labels: Labels, reasons: &[Reason]) -> Attempt {
    Attempt {
        id: 0,
        at: "2026-01-10T00:00:00Z".into(),
        model: "Qwen/Qwen2-VL-2B-Instruct".into(),
        prompt_version: "v2".into(),
        retry_of: None,
        opinion_of: None,
        settings: settings(),
        settings_hash: "5e77".into(),
        request_text: None,
        raw_text: "{}".into(),
        labels: Some(labels),
        reasons: reasons.to_vec(),
        confidence: vec![],
        truncated: false,
        timings: Timings::default(),
        tokens: TokenCounts::default(),
        failure: None,
    }
}

fn failure(code: FailureCode) -> Failure {
    Failure {
        code,
        detail: FailureDetail::Text("no such file".to_owned()),
    }
}

/// Opens a journal with these groups, in this order, each with a good answer.
fn labeled(outdir: &Path, names: &[&str]) -> (Outdir, Vec<GroupId>) {
    let mut journal = open(outdir);
    let ids = add(&mut journal, names);
    for (id, name) in ids.iter().zip(names) {
        journal
            .add_attempt(*id, &attempt(labels(name), &[]))
            .unwrap();
    }
    (journal, ids)
}

/// Reads a source with these items.
fn add(journal: &mut Journal, names: &[&str]) -> Vec<GroupId> {
    journal.begin_source();
    let groups: Vec<NewGroup> = (0..).zip(names).map(|(at, name)| group(at, name)).collect();
    let upserted = journal.upsert_groups(&groups).unwrap();
    upserted.into_iter().map(|upserted| upserted.id).collect()
}

fn upsert(journal: &mut Journal, group: &NewGroup) -> Upserted {
    let upserted = journal.upsert_groups(std::slice::from_ref(group)).unwrap();
    upserted[0]
}

fn state(journal: &Journal, id: GroupId) -> GroupState {
    journal.summary(id).unwrap().unwrap().state
}

fn set_label(text: &str) -> Change {
    Change::Set {
        field: Field::LabelKo,
        values: vec![text.into()],
    }
}

fn read(outdir: &Path, name: &str) -> String {
    std::fs::read_to_string(outdir.join(name)).unwrap()
}

fn lines(outdir: &Path, name: &str) -> Vec<serde_json::Value> {
    read(outdir, name)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Replaces the journal with one of an earlier schema version and the same content.
pub(super) fn as_of_version(outdir: &Path, version: usize) -> rusqlite::Connection {
    let (now, old) = (outdir.join("journal.sqlite"), outdir.join("old.sqlite"));
    let mut db = rusqlite::Connection::open(&old).unwrap();
    schema::migrate_to(version, &mut db).unwrap();
    let attach = "ATTACH ?1 AS now";
    db.execute(attach, [now.to_str().unwrap()]).unwrap();
    let listed = |db: &rusqlite::Connection, sql: &str| -> Vec<String> {
        let mut select = db.prepare(sql).unwrap();
        let rows = select.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    for table in listed(&db, tables) {
        let columns = |of: &str| {
            let sql = format!("SELECT name FROM pragma_table_info('{table}', '{of}')");
            listed(&db, &sql)
        };
        let (had, have) = (columns("main"), columns("now"));
        let values: Vec<String> = had
            .iter()
            .map(|column| match column.as_str() {
                "doubt" | "uncertainty" if !have.contains(column) => "0".to_owned(),
                "label_ko" | "tags_ko" if table == "heads" => {
                    format!("json_extract(labels, '$.{column}')")
                }
                "item_type" => "json_extract(labels, '$.attributes.item_type_guess')".to_owned(),
                "colors" | "theme" | "material" | "vibe" => {
                    format!("json_extract(labels, '$.attributes.{column}')")
                }
                "histogram" if !have.contains(column) => {
                    "(SELECT histogram FROM now.colors WHERE group_id = id)".to_owned()
                }
                _ => column.clone(),
            })
            .collect();
        let (had, values) = (had.join(", "), values.join(", "));
        db.execute_batch(&format!(
            "INSERT INTO main.{table} ({had}) SELECT {values} FROM now.{table}"
        ))
        .unwrap();
    }
    if version < 3 {
        db.execute_batch(
            "UPDATE meta SET key = 'changes' WHERE key = 'version:records';
             UPDATE meta SET key = 'changes:labels_errors.jsonl' WHERE key = 'version:failures';",
        )
        .unwrap();
    }
    drop(db);
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(outdir.join(format!("journal.sqlite{end}")));
    }
    std::fs::rename(old, &now).unwrap();
    rusqlite::Connection::open(now).unwrap()
}
