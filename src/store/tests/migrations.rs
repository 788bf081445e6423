//! Migration from every earlier schema version loses nothing.

use super::import::line;
use super::*;
use crate::outdir::LABELS;
use crate::record::{GroupDetail, Labels};
use crate::store::Counts;

/// A journal with an imported record, a committed, an edited, a rejected and a plain draft, a
/// failure, and a waiting item.
pub(super) fn full(outdir: &Path) -> Outdir {
    let imported = line("왕관", "금빛 보석이 박힌 왕관", "\"too_small\"") + "\n";
    std::fs::write(outdir.join(LABELS), imported).unwrap();
    let (mut journal, ids) = labeled(outdir, &["반지", "모자", "검", "방패"]);
    journal.commit_automatic(ids[0]).unwrap();
    for (id, change) in [
        (ids[1], set_label("고친 붉은 모자")),
        (
            ids[2],
            Change::Reject {
                reason: "흐리다".into(),
            },
        ),
        (
            ids[3],
            Change::Add {
                field: Field::Vibe,
                value: "단단한".into(),
            },
        ),
    ] {
        journal.apply(&[id], &change, "a step").unwrap();
    }
    journal.begin_source();
    let more = [group(8, "활"), group(9, "창")];
    let more = journal.upsert_groups(&more).unwrap();
    journal
        .add_failures(&[(more[0].id, failure(FailureCode::MissingImage))])
        .unwrap();
    journal
}

fn details(journal: &Journal) -> Vec<GroupDetail> {
    let all = journal.summaries().unwrap().into_iter();
    all.map(|summary| journal.detail(summary.id).unwrap().unwrap())
        .collect()
}

/// Which drafts are committed, and the counts of the summary.
fn progress(journal: &Journal) -> (Vec<bool>, Counts) {
    let all = journal.summaries().unwrap().into_iter();
    let ids: Vec<GroupId> = all.map(|summary| summary.id).collect();
    let known = journal.known_groups(&ids).unwrap().into_iter();
    let committed = known.map(|known| known.unwrap().is_committed).collect();
    (committed, journal.counts().unwrap())
}

#[test]
fn migration_from_any_version_loses_nothing() {
    for version in 1..=schema::VERSION {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = full(dir.path());
        journal.export().unwrap();
        let (before, exported) = (details(&journal), read(dir.path(), LABELS));
        assert_eq!(before.len(), 7);
        let progress_before = progress(&journal);
        assert!(progress_before.0.contains(&true) && progress_before.0.contains(&false));
        drop(journal);
        drop(as_of_version(dir.path(), version));

        let mut journal = open(dir.path());
        assert_eq!(details(&journal), before, "from version {version}");
        assert_eq!(
            progress(&journal),
            progress_before,
            "from version {version}"
        );
        journal.export().unwrap();
        assert_eq!(read(dir.path(), LABELS), exported);
        // Earlier steps can be undone, and new ones can be done.
        for _ in 0..3 {
            journal.undo().unwrap().unwrap();
        }
        let id = before.iter().find(|detail| detail.item.item_name == "모자");
        let id = id.unwrap().summary.id;
        let undone = journal.detail(id).unwrap().unwrap();
        assert_eq!(undone.draft.unwrap().labels, labels("모자"));
        journal
            .apply(&[id], &set_label("다시 고친 모자"), "a step")
            .unwrap();
        let edited = journal.summary(id).unwrap().unwrap();
        assert_eq!(edited.labels.label_ko(), "다시 고친 모자");
    }
}

#[test]
fn hashes_are_in_lower_case_after_a_migration() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, ids) = labeled(dir.path(), &["반지"]);
    drop(journal);
    let db = as_of_version(dir.path(), schema::VERSION - 1);
    db.execute("UPDATE groups SET sha256 = upper(sha256)", [])
        .unwrap();
    drop(db);
    let mut journal = open(dir.path());
    let detail = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(detail.image_sha256, Some(sha("반지")));
    // The source finds the image at another path.
    journal.begin_source();
    let mut moved = group(0, "옮긴 반지");
    moved.sha256 = Some(sha("반지"));
    assert_eq!(journal.upsert_groups(&[moved]).unwrap()[0].id, ids[0]);
}

#[test]
fn migrated_summaries_have_every_value_of_the_draft() {
    let dir = tempfile::tempdir().unwrap();
    drop(full(dir.path()));
    drop(as_of_version(dir.path(), 1));
    let all = details(&open(dir.path()));
    for detail in all {
        let labels = detail
            .draft
            .map_or_else(Labels::default, |draft| draft.labels);
        for &field in Field::ALL {
            assert_eq!(detail.summary.labels.values(field), labels.values(field));
        }
    }
}
