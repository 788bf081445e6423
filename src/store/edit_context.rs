//! Applies an operator's change to one group: stores the new text, and the record if the change is
//! a commit.

use super::review_records::StoredDraft;
use super::tables::computed::read_observed;
use super::tables::drafts::{DraftRow, current_draft, insert_draft, read_draft_of};
use super::tables::groups::read_group;
use super::tables::records::insert_record;
use crate::error::Result;
use crate::record::fixes::fix;
use crate::record::{
    Change, CurrentState, EditFacts, Edited, Field, FixKind, GroupId, Labels, Names, Origin,
    Reason, ReviewState, Vocabulary, apply, edit,
};
use crate::text::utc;
use jiff::Timestamp;
use rusqlite::Connection;

/// `model` of a record that an operator wrote from scratch.
const BY_HAND: &str = "operator";

/// Inputs of a change to one group.
pub struct EditContext<'a> {
    pub db: &'a Connection,
    pub vocabulary: &'a Vocabulary,
    pub group: GroupId,
    pub now: Timestamp,
}

/// A new version that was stored.
pub struct EditedText {
    number: i64,
    pub draft: DraftRow,
    /// Fields that differ from the version before it.
    pub fields: Vec<Field>,
}

impl EditContext<'_> {
    /// Applies a change. Returns the new state, and the new version if the change made one.
    pub fn change(
        &self,
        current: &CurrentState,
        change: &Change,
    ) -> Result<(ReviewState, Option<EditedText>)> {
        let text = match change {
            Change::Set { .. }
            | Change::Add { .. }
            | Change::Remove { .. }
            | Change::Rename { .. }
            | Change::Synonym { .. }
            | Change::Replace(_)
            | Change::Canonicalize { .. }
            | Change::UpdateName
            | Change::Fix { .. }
            | Change::TakeField { .. } => self.edit(&current.review, change)?,
            Change::TakeVersion { version } => {
                if self.version(*version)?.is_none() {
                    let facts = EditFacts {
                        vocabulary: self.vocabulary,
                        item_name: "",
                        taken: None,
                    };
                    // Returns the reason why it cannot be applied.
                    apply(&Labels::default(), change, &facts)?;
                }
                None
            }
            _ => None,
        };
        let number = text.as_ref().map(|text| text.number);
        let mut next = current.apply(change, number);
        if let Some(line) = &mut next.line
            && line.record.is_none()
        {
            let record = insert_record(self.db, self.group, line.version, self.now, line.by)?;
            line.record = Some(record);
        }
        Ok((next, text))
    }

    /// Reads a version; `None` if it does not belong to this group.
    fn version(&self, number: i64) -> Result<Option<DraftRow>> {
        read_draft_of(self.db, self.group, number)
    }

    /// Returns the labels after a fix; `None` if it does not apply.
    fn fixed(&self, reason: Reason, kind: FixKind, draft: &DraftRow) -> Result<Option<Labels>> {
        let group = read_group(self.db, self.group)?;
        let observed = read_observed(self.db, self.group)?;
        let draft = StoredDraft::read(self.db, self.group, draft.clone())?;
        let context = draft.fix_context(self.vocabulary, &group.item, &observed);
        Ok(fix(reason, kind, &draft.row.labels, &context))
    }

    /// Stores the edited text as a new version; `None` if the edit changes nothing.
    fn edit(&self, review: &ReviewState, change: &Change) -> Result<Option<EditedText>> {
        let (field, taken) = match change {
            Change::TakeField { version, field } => (Some(*field), self.version(*version)?),
            Change::Set { field, .. }
            | Change::Add { field, .. }
            | Change::Remove { field, .. }
            | Change::Rename { field, .. }
            | Change::Synonym { field, .. } => (Some(*field), None),
            _ => (None, None),
        };
        let old = current_draft(self.db, review)?;
        if old.is_none() && !change.starts_draft() {
            return Ok(None);
        }
        let empty = Labels::default();
        let before = old.as_ref().map_or(&empty, |old| &old.labels);
        let group = read_group(self.db, self.group)?;
        let now = &group.item.item_name;
        let names = Names {
            original: old.as_ref().map_or(now, |old| &old.item_name),
            current: now,
        };
        let fixed = match (change, &old) {
            (Change::Fix { reason, kind }, Some(old)) => self.fixed(*reason, *kind, old)?,
            _ => None,
        };
        let taken_labels = fixed.as_ref().or(taken.as_ref().map(|taken| &taken.labels));
        let edited = edit(before, names, change, taken_labels, self.vocabulary)?;
        let Some(Edited { labels, item_name }) = edited else {
            return Ok(None);
        };
        let fields = before.differing(&labels);
        let at = utc(self.now);
        let mut draft = old.unwrap_or_else(|| DraftRow {
            origin: Origin::Edit,
            item_name: String::new(),
            labels: Labels::default(),
            reasons: Vec::new(),
            kept: Vec::new(),
            confidence: Vec::new(),
            with_image: true,
            with_metadata: true,
            model: BY_HAND.into(),
            prompt_version: BY_HAND.into(),
            generated_at: at.clone(),
        });
        // Text that an operator wrote has no confidence value. A field taken from another answer
        // keeps the confidence that it had there.
        draft.confidence.retain(|confidence| match field {
            Some(field) => confidence.field != field,
            None => labels.values(confidence.field) == draft.labels.values(confidence.field),
        });
        if let Some(taken) = &taken {
            let confidence = taken.confidence.iter();
            let confidence = confidence.filter(|of| Some(of.field) == field);
            draft.confidence.extend(confidence.cloned());
        }
        // An operator who replaces a whole field has reviewed it. Adding or removing a word,
        // perhaps in thousands of records, says nothing about the rest.
        if matches!(change, Change::Set { .. } | Change::TakeField { .. }) {
            draft.kept.clear();
        }
        draft.origin = Origin::Edit;
        draft.labels = labels;
        draft.item_name = item_name;
        draft.generated_at = at;
        let observed = read_observed(self.db, self.group)?;
        draft.reasons = draft.check(self.vocabulary, now, &observed);
        let number = insert_draft(self.db, self.group, &draft)?;
        Ok(Some(EditedText {
            number,
            draft,
            fields,
        }))
    }
}
