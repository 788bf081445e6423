//! Audits: draws samples of committed records and estimates the error rate from the judgments.

use super::errors::journal_error;
use super::tables::computed::signals_of;
use super::tables::drafts::{read_draft, reasons_of};
use super::tables::from_json;
use super::tables::groups::read_group;
use super::tables::judgments::{newest_seed, read_judgments};
use crate::error::Result;
use crate::record::{
    AuditEstimate, Candidate, Estimator, Field, GroupId, Labels, SampledRecord, Signal, SourceType,
    Stratum, Vocabulary, current_judgments, draw_order,
};
use crate::store::errors::unreadable;
use rusqlite::Connection;

/// Returns the first `size` records of the sample with this seed, or all of them.
pub fn sample(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
    seed: u64,
    size: usize,
) -> Result<Vec<SampledRecord>> {
    let population = population(db, vocabulary, estimator)?;
    let judgments = read_judgments(db, seed)?;
    let judged = current_judgments(&population, &judgments);
    let order = draw_order(&population, seed).into_iter().take(size);
    let record = |place: usize| {
        let Candidate { group, version, .. } = population[place];
        let found = judged.get(&group);
        Ok(SampledRecord {
            group,
            version,
            item: read_group(db, group)?.item,
            labels: read_draft(db, version)?.labels,
            judged: found.map(|at| (*at, judgments[*at])),
        })
    };
    order.map(record).collect()
}

/// Estimates the error rate from the audit with this seed, or else from the most recent audit.
/// `None` if there are no judgments.
pub fn estimate(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
    seed: Option<u64>,
    width: f64,
) -> Result<Option<AuditEstimate>> {
    let Some(seed) = seed.map_or_else(|| newest_seed(db), |seed| Ok(Some(seed)))? else {
        return Ok(None);
    };
    let judgments = read_judgments(db, seed)?;
    let population = population(db, vocabulary, estimator)?;
    Ok(Some(AuditEstimate::new(
        &population,
        &judgments,
        seed,
        width,
    )))
}

/// Returns the committed records without reasons, in source order.
pub fn population(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
) -> Result<Vec<Candidate>> {
    struct SampleRow {
        group: i64,
        source_type: String,
        version: i64,
        reasons: String,
        duplicate: bool,
        labels: String,
        signals: Option<String>,
        name: String,
    }
    let mut select = db
        .prepare_cached(
            "SELECT g.id, g.source_type, r.draft, coalesce(c.reasons, d.reasons), h.duplicate,
                 d.labels,
                 CASE WHEN json_valid(h.head) AND json_extract(h.head, '$.draft') = r.draft
                     THEN h.signals END,
                 g.name
             FROM groups g
             JOIN heads h ON h.group_id = g.id
             JOIN records r ON r.id = h.record
             JOIN drafts d ON d.id = r.draft
             LEFT JOIN checks c ON c.draft = d.id
             WHERE NOT g.displaced
             ORDER BY g.ord, g.id",
        )
        .map_err(journal_error("reading the records"))?;
    let rows = select
        .query_map([], |row| {
            Ok(SampleRow {
                group: row.get(0)?,
                source_type: row.get(1)?,
                version: row.get(2)?,
                reasons: row.get(3)?,
                duplicate: row.get(4)?,
                labels: row.get(5)?,
                signals: row.get(6)?,
                name: row.get(7)?,
            })
        })
        .map_err(journal_error("reading the records"))?;
    let mut all = Vec::new();
    for row in rows {
        let row = row.map_err(journal_error("reading the records"))?;
        // `duplicate` is about the label of the present draft.
        let is_draft = row.signals.is_some();
        if !reasons_of(&row.reasons, row.duplicate && is_draft).is_empty() {
            continue;
        }
        let group = GroupId(row.group);
        let labels: Labels = from_json(&row.labels)?;
        let signals: Vec<Signal> = match &row.signals {
            Some(signals) => from_json(signals)?,
            None => signals_of(db, group, &read_draft(db, row.version)?)?,
        };
        let unexplained = labels.unexplained_words(&row.name, vocabulary).len();
        all.push(Candidate {
            group,
            version: row.version,
            stratum: Stratum {
                source_type: SourceType::parse(&row.source_type)
                    .ok_or_else(|| unreadable("reading a group", row.source_type))?,
                item_type: labels.text(Field::ItemTypeGuess).map(str::to_owned),
            },
            uncertainty: estimator.uncertainty(&[], &signals, unexplained),
        });
    }
    Ok(all)
}
