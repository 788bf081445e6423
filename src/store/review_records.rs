//! Reads records to review: their text with its reasons, details and fixes.

use super::tables::answers::{attempts_of, read_failure};
use super::tables::computed::{Observed, read_observed};
use super::tables::drafts::{DraftRow, current_draft, read_drafts};
use super::tables::groups::{GroupRow, read_group};
use super::tables::states::{is_duplicate, read_current};
use super::tables::steps::edits_of;
use crate::error::Result;
use crate::record::fixes::{Fix, offered};
use crate::record::{
    Change, Draft, Failure, GroupId, GroupSummary, Item, Labels, Origin, RecordContext, Vocabulary,
    about_reasons,
};
use rusqlite::Connection;

/// A record to review.
#[derive(Debug, Clone)]
pub struct ReviewRecord {
    pub summary: GroupSummary,
    pub item: Item,
    pub image_sha256: Option<String>,
    /// Whether the colors of the image are known.
    pub has_colors: bool,
    pub draft: Option<Draft>,
    /// Why the newest attempt failed, if there is no draft.
    pub failure: Option<Failure>,
    pub fixes: Vec<Fix>,
}

/// The stored part of a [`ReviewRecord`]. What follows from it can be computed on another thread.
#[derive(Debug)]
pub struct StoredRecord {
    pub summary: GroupSummary,
    group: GroupRow,
    observed: Observed,
    draft: Option<StoredDraft>,
    failure: Option<Failure>,
}

/// A draft with what other texts in the journal say about it.
#[derive(Debug)]
pub struct StoredDraft {
    pub row: DraftRow,
    /// The labels of other answers for the image.
    others: Vec<Labels>,
    /// The labels from before the fixes, if only fixes have changed them since.
    before_fixes: Option<Labels>,
    /// Whether another image has the same label.
    is_duplicate: bool,
}

pub fn stored(db: &Connection, summary: GroupSummary) -> Result<StoredRecord> {
    let current = read_current(db, summary.id)?.unwrap_or_default();
    let draft = current_draft(db, &current.review)?
        .map(|row| StoredDraft::read(db, summary.id, row))
        .transpose()?;
    let failure = match current.failure {
        Some(failure) if draft.is_none() => Some(read_failure(db, failure)?),
        _ => None,
    };
    Ok(StoredRecord {
        failure,
        group: read_group(db, summary.id)?,
        observed: read_observed(db, summary.id)?,
        summary,
        draft,
    })
}

impl StoredDraft {
    /// Reads what belongs to `row`, the draft of this group.
    pub fn read(db: &Connection, group: GroupId, row: DraftRow) -> Result<Self> {
        let attempts = attempts_of(db, group)?.into_iter();
        let answers = attempts.filter_map(|attempt| attempt.labels);
        Ok(Self {
            others: answers.filter(|labels| *labels != row.labels).collect(),
            before_fixes: before_fixes(db, group, &row)?,
            is_duplicate: is_duplicate(db, group)?,
            row,
        })
    }

    /// Returns the inputs of the fixes besides the labels.
    pub fn fix_context<'a>(
        &'a self,
        vocabulary: &'a Vocabulary,
        item: &'a Item,
        observed: &'a Observed,
    ) -> RecordContext<'a> {
        let names = self.row.names(&item.item_name);
        let before_fixes = self.before_fixes.as_ref();
        RecordContext {
            part: item.item_part.as_deref(),
            // The search was for a text that a fix replaces.
            retrieved: None,
            is_duplicate: self.is_duplicate,
            others: &self.others,
            before_fixes: before_fixes.map(|labels| (labels, names.of_text(labels))),
            edited_by_person: self.row.origin == Origin::Edit && before_fixes.is_none(),
            ..self.row.context(vocabulary, &item.item_name, observed)
        }
    }
}

/// Returns the newest unedited text of a group if only fixes have changed it since.
fn before_fixes(db: &Connection, group: GroupId, draft: &DraftRow) -> Result<Option<Labels>> {
    let is_fix = |change: &Option<Change>| matches!(change, Some(Change::Fix { .. }));
    if draft.origin != Origin::Edit || !edits_of(db, group)?.iter().all(is_fix) {
        return Ok(None);
    }
    let texts = read_drafts(db, group)?.into_iter().rev();
    let mut texts = texts.map(|(_, text)| text);
    let before_fixes = texts.find(|text| text.origin != Origin::Edit);
    Ok(before_fixes.map(|text| text.labels))
}

impl StoredRecord {
    /// Returns the labels of the draft and the other inputs of its fixes; `None` if there is no
    /// draft.
    pub fn fixable<'a>(
        &'a self,
        vocabulary: &'a Vocabulary,
    ) -> Option<(&'a Labels, RecordContext<'a>)> {
        let draft = self.draft.as_ref()?;
        let context = draft.fix_context(vocabulary, &self.group.item, &self.observed);
        Some((&draft.row.labels, context))
    }

    /// Computes the fixes of the record's reasons.
    pub fn fixes(&self, vocabulary: &Vocabulary) -> Vec<Fix> {
        self.fixable(vocabulary)
            .map(|(labels, context)| offered(&self.summary.reasons, labels, &context))
            .unwrap_or_default()
    }

    /// Computes the details of the record's reasons and its fixes.
    pub fn evaluate(self, vocabulary: &Vocabulary) -> ReviewRecord {
        let fixes = self.fixes(vocabulary);
        let Self {
            summary,
            group,
            observed,
            draft,
            failure,
        } = self;
        let draft = draft.map(|StoredDraft { row, .. }| {
            let context = row.context(vocabulary, &group.item.item_name, &observed);
            let about = about_reasons(&row.labels, &context);
            Draft {
                reasons: summary.reasons.clone(),
                ..row.into_draft(about)
            }
        });
        ReviewRecord {
            has_colors: observed.colors.is_some(),
            item: group.item,
            image_sha256: group.sha256,
            summary,
            draft,
            failure,
            fixes,
        }
    }
}
