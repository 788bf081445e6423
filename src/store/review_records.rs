//! Reads records to review: their text with its reasons, details and fixes.

use super::fixes;
use super::rules::{Observed, about_reasons};
use super::tables::answers::read_failure;
use super::tables::computed::read_observed;
use super::tables::drafts::{DraftRow, read_draft};
use super::tables::groups::{GroupRow, read_group};
use super::tables::states::read_current;
use crate::error::Result;
use crate::record::fixes::{Fix, FixFacts};
use crate::record::{Draft, Failure, GroupSummary, Item, Vocabulary};
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
    summary: GroupSummary,
    group: GroupRow,
    observed: Observed,
    draft: Option<(DraftRow, FixFacts)>,
    failure: Option<Failure>,
}

pub fn stored(db: &Connection, summary: GroupSummary) -> Result<StoredRecord> {
    let group = read_group(db, summary.id)?;
    let current = read_current(db, summary.id)?.unwrap_or_default();
    let draft = match current.review.draft {
        Some(number) => {
            let draft = read_draft(db, number)?;
            let facts = fixes::facts(db, summary.id, &group, &draft)?;
            Some((draft, facts))
        }
        None => None,
    };
    let failure = match current.failure {
        Some(failure) if draft.is_none() => Some(read_failure(db, failure)?),
        _ => None,
    };
    Ok(StoredRecord {
        failure,
        observed: read_observed(db, summary.id)?,
        summary,
        group,
        draft,
    })
}

impl StoredRecord {
    /// Computes the details of the record's reasons and its fixes.
    pub fn evaluate(self, vocabulary: &Vocabulary) -> ReviewRecord {
        let Self {
            summary,
            group,
            observed,
            draft,
            failure,
        } = self;
        let reasons = &summary.reasons;
        let (draft, fixes) = match draft {
            Some((row, facts)) => {
                let fixes = facts.offered(reasons, &row.labels, vocabulary);
                let facts = row.facts(vocabulary, &group.item.item_name, &observed);
                let about = about_reasons(&row.labels, &facts);
                let draft = Draft {
                    reasons: reasons.clone(),
                    ..row.into_draft(about)
                };
                (Some(draft), fixes)
            }
            None => (None, Vec::new()),
        };
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
