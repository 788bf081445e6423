//! Keeps the reasons that the rules find in drafts up to date.

use super::errors::journal_error;
use super::tables::computed::{Observed, read_observed, write_check};
use super::tables::drafts::{DraftRow, read_draft};
use super::tables::groups::read_group;
use super::tables::meta;
use super::tables::states::StateWriter;
use crate::error::Result;
use crate::record::{GroupId, Names, Reason, RecordContext, Vocabulary, check};
use rusqlite::Connection;

/// Row of `meta` that names the rules that last checked the drafts.
const CHECKED_BY: &str = "checked by";
/// Version of the rules. Must grow when a rule changes, so that the drafts of existing outdirs are
/// checked again.
const RULES: u32 = 5;

/// Checks every draft of a group again after an input of the rules other than its text changed.
pub fn check_group(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
    states: &mut StateWriter,
) -> Result<()> {
    let drafts: Vec<i64> = db
        .prepare_cached("SELECT id FROM drafts WHERE group_id = ?1 ORDER BY id")
        .and_then(|mut select| select.query_map([group.0], |row| row.get(0))?.collect())
        .map_err(journal_error("checking the drafts"))?;
    for id in drafts {
        check_draft(db, vocabulary, group, id, states)?;
    }
    Ok(())
}

/// Checks every draft again if other rules or another vocabulary checked them last.
pub fn check_again(db: &mut Connection, vocabulary: &Vocabulary) -> Result<()> {
    let rules = rules_of_now(vocabulary);
    if meta::get(db, CHECKED_BY)?.as_ref() == Some(&rules) {
        return Ok(());
    }
    let transaction = db
        .transaction()
        .map_err(journal_error("checking the drafts"))?;
    let drafts: Vec<(i64, i64)> = transaction
        .prepare("SELECT id, group_id FROM drafts ORDER BY id")
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(journal_error("checking the drafts"))?;
    let mut states = StateWriter::new(&transaction);
    for (id, group) in drafts {
        check_draft(&transaction, vocabulary, GroupId(group), id, &mut states)?;
    }
    states.finish()?;
    meta::set(&transaction, CHECKED_BY, &rules)?;
    transaction
        .commit()
        .map_err(journal_error("checking the drafts"))
}

fn check_draft(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
    id: i64,
    states: &mut StateWriter,
) -> Result<()> {
    let checked = read_draft(db, id).and_then(|draft| {
        let now = reasons_now(db, vocabulary, group, &draft)?;
        Ok((draft, now))
    });
    // `journal check` reports damaged rows, and so does any screen that shows them.
    let Ok((mut draft, now)) = checked else {
        return Ok(());
    };
    if now == draft.reasons {
        return Ok(());
    }
    write_check(db, id, &mut draft, now)?;
    let current = states.read(group)?;
    if current.review.draft == Some(id) {
        states.write_draft(group, &current, Some(&draft))?;
    }
    Ok(())
}

/// Applies the current rules to a stored draft.
pub fn reasons_now(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
    draft: &DraftRow,
) -> Result<Vec<Reason>> {
    let current_name = read_group(db, group)?.item.item_name;
    let observed = read_observed(db, group)?;
    Ok(draft.check(vocabulary, &current_name, &observed))
}

impl DraftRow {
    /// The item name for which the text was written, and the current one.
    pub fn names<'a>(&'a self, current: &'a str) -> Names<'a> {
        Names {
            original: &self.item_name,
            current,
        }
    }

    /// Returns the inputs of the rules besides the labels: what this row knows, the item's current
    /// name and the measurements of its image.
    pub fn context<'a>(
        &'a self,
        vocabulary: &'a Vocabulary,
        current_name: &'a str,
        observed: &'a Observed,
    ) -> RecordContext<'a> {
        RecordContext {
            item_name: self.names(current_name).of_text(&self.labels),
            with_metadata: self.with_metadata,
            colors: observed.colors.as_ref().filter(|_| self.with_image),
            confidence: &self.confidence,
            retrieved: observed.retrieved.as_ref(),
            ..RecordContext::new(vocabulary, current_name)
        }
    }

    /// Returns the reasons in code order, without `duplicate_label`, which depends on other groups.
    pub fn check(
        &self,
        vocabulary: &Vocabulary,
        current_name: &str,
        observed: &Observed,
    ) -> Vec<Reason> {
        let context = self.context(vocabulary, current_name, observed);
        let mut reasons = check(&self.labels, &context);
        reasons.extend_from_slice(&self.kept);
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }
}

/// Identifies this program's rules and the vocabulary that they use.
fn rules_of_now(vocabulary: &Vocabulary) -> String {
    let codes: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let vocabulary = vocabulary.fingerprint();
    format!("{RULES}, {vocabulary}: {}", codes.join(" "))
}
