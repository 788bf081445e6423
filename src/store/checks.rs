//! Keeps what is computed up to date: colors and families of images, what the rules say of drafts.

use super::errors::doing;
use super::families;
use super::rules::{Facts, about_reasons, reasons};
use super::tables::computed::{read_colors, write_check, write_colors};
use super::tables::drafts::{DraftRow, read_draft};
use super::tables::groups::read_group;
use super::tables::meta;
use super::tables::records::name_in_record;
use super::tables::states::StateWriter;
use crate::error::Result;
use crate::icon::Measured;
use crate::record::{ColorHistogram, GroupId, Origin, Reason, Vocabulary};
use rusqlite::Connection;

/// Which rules have checked the drafts.
const CHECKED_BY: &str = "checked by";

/// Stores what was measured of images, in one transaction, joins families, and checks the drafts
/// that the rules saw without the colors. Returns the groups that show a change.
pub fn set_measured(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    measured: &[(GroupId, Measured)],
) -> Result<Vec<GroupId>> {
    let transaction = db.transaction().map_err(doing("saving colors"))?;
    let mut joined = Vec::new();
    let mut states = StateWriter::new(&transaction);
    for (group, measured) in measured {
        write_colors(&transaction, *group, &measured.colors)?;
        joined.extend(families::join(
            &transaction,
            *group,
            measured.drawing.as_ref(),
        )?);
        let current = states.read(*group)?;
        let Some(id) = current.review.draft else {
            continue;
        };
        let mut draft = read_draft(&transaction, id)?;
        let now = reasons_now(&transaction, vocabulary, *group, id, &draft)?;
        if now != draft.reasons {
            write_check(&transaction, id, &mut draft, now)?;
            states.write_draft(*group, &current, Some(&draft))?;
        }
    }
    let mut changed = states.finish()?;
    transaction.commit().map_err(doing("saving colors"))?;
    changed.extend(joined);
    changed.sort_unstable();
    changed.dedup();
    Ok(changed)
}

/// Checks every draft again where other rules than these have checked them.
pub fn check_again(db: &mut Connection, vocabulary: &Vocabulary) -> Result<()> {
    let rules = rules_of_now();
    if meta::get(db, CHECKED_BY)?.as_ref() == Some(&rules) {
        return Ok(());
    }
    let transaction = db.transaction().map_err(doing("checking the drafts"))?;
    let drafts: Vec<(i64, i64)> = transaction
        .prepare("SELECT id, group_id FROM drafts ORDER BY id")
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(doing("checking the drafts"))?;
    let mut states = StateWriter::new(&transaction);
    for (id, group) in drafts {
        let group = GroupId(group);
        let checked = read_draft(&transaction, id).and_then(|draft| {
            let now = reasons_now(&transaction, vocabulary, group, id, &draft)?;
            Ok((draft, now))
        });
        // What damage has made unreadable is named by `journal check`, and where it is shown.
        let Ok((mut draft, now)) = checked else {
            continue;
        };
        if now != draft.reasons {
            write_check(&transaction, id, &mut draft, now)?;
            let current = states.read(group)?;
            if current.review.draft == Some(id) {
                states.write_draft(group, &current, Some(&draft))?;
            }
        }
    }
    states.finish()?;
    meta::set(&transaction, CHECKED_BY, &rules)?;
    transaction.commit().map_err(doing("checking the drafts"))
}

/// What the rules say of a stored draft now.
fn reasons_now(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
    id: i64,
    draft: &DraftRow,
) -> Result<Vec<Reason>> {
    let item_name = name_of_text(db, group, id, draft)?;
    let colors = read_colors(db, group)?;
    let facts = draft.facts(vocabulary, &item_name, colors.as_ref());
    Ok(reasons(&draft.labels, &facts))
}

/// What the reasons of a stored draft point at.
pub fn about_draft(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
    id: i64,
    draft: &DraftRow,
    colors: Option<&ColorHistogram>,
) -> Result<Vec<(Reason, Vec<String>)>> {
    let item_name = name_of_text(db, group, id, draft)?;
    let facts = draft.facts(vocabulary, &item_name, colors);
    Ok(about_reasons(&draft.labels, &facts))
}

fn name_of_text(db: &Connection, group: GroupId, id: i64, draft: &DraftRow) -> Result<String> {
    let own_name = match draft.origin {
        // A line of an earlier file keeps its name as it is.
        Origin::Import => name_in_record(db, group, id)?,
        Origin::Attempt(_) | Origin::Edit => None,
    };
    match own_name {
        Some(name) => Ok(name),
        None => Ok(read_group(db, group)?.item.item_name),
    }
}

impl DraftRow {
    fn facts<'a>(
        &'a self,
        vocabulary: &'a Vocabulary,
        item_name: &'a str,
        histogram: Option<&'a ColorHistogram>,
    ) -> Facts<'a> {
        Facts {
            vocabulary,
            item_name,
            histogram,
            confidence: &self.confidence,
            with_image: self.with_image,
            with_metadata: self.with_metadata,
            kept: &self.kept,
        }
    }
}

/// Names the rules that this program has: with a release or a new reason they may say more.
fn rules_of_now() -> String {
    let codes: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    format!("{}: {}", env!("CARGO_PKG_VERSION"), codes.join(" "))
}
