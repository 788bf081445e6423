//! Audits: which records are drawn, and which judgments count.

use super::*;
use crate::record::Verdict;

const WIDTH: f64 = 0.05;

/// Committed records, the last of which has a reason.
fn committed(outdir: &Path) -> (Outdir, Vec<GroupId>) {
    let names = ["반지", "모자", "검", "방패"];
    let (mut journal, ids) = labeled(outdir, &names);
    let mut few = labels("장갑");
    few.set(Field::TagsKo, list(&["모자"]));
    let more = upsert(&mut journal, &group(4, "장갑")).id;
    let flagged = attempt(few, &[Reason::FewTags]);
    journal.add_attempt(more, &flagged).unwrap();
    for id in ids.iter().chain([&more]) {
        journal.commit_automatic(*id).unwrap();
    }
    (journal, [ids, vec![more]].concat())
}

fn counts(journal: &Journal) -> (u64, u64, u64, u64) {
    let found = journal.audit(None, WIDTH).unwrap().unwrap();
    (found.right, found.wrong, found.unsure, found.outdated)
}

fn judge(journal: &mut Journal, group: GroupId, verdict: Option<Verdict>) {
    let drawn = journal.audit_sample(0, 100).unwrap();
    let drawn = drawn
        .into_iter()
        .find(|drawn| drawn.group == group)
        .unwrap();
    journal.judge(0, group, drawn.version, verdict).unwrap();
}

#[test]
fn records_without_a_reason_are_drawn_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = committed(dir.path());
    assert_eq!(journal.audit(None, WIDTH).unwrap(), None);
    assert_eq!(journal.newest_audit().unwrap(), None);
    let sample = journal.audit_sample(0, 3).unwrap();
    assert_eq!(sample.len(), 3);
    let all = journal.audit_sample(0, 100).unwrap();
    assert_eq!(all[..3], sample);
    let mut drawn: Vec<GroupId> = all.iter().map(|drawn| drawn.group).collect();
    drawn.sort_unstable();
    assert_eq!(drawn, ids[..4]);

    let wrong = Verdict::Wrong(Field::Colors);
    judge(&mut journal, ids[0], Some(Verdict::Right));
    judge(&mut journal, ids[1], Some(wrong));
    judge(&mut journal, ids[2], Some(Verdict::Unsure));
    assert_eq!(counts(&journal), (1, 1, 1, 0));
    assert_eq!(
        journal.summary(ids[1]).unwrap().unwrap().judged,
        Some(wrong)
    );
    drop(journal);
    // Another run continues the audit.
    let mut journal = open(dir.path());
    assert_eq!(journal.newest_audit().unwrap(), Some(0));
    let judged = journal.audit_sample(0, 100).unwrap().into_iter();
    assert_eq!(judged.filter(|drawn| drawn.judged.is_some()).count(), 3);
    judge(&mut journal, ids[1], None);
    assert_eq!(counts(&journal), (1, 0, 1, 0));
    assert_eq!(journal.summary(ids[1]).unwrap().unwrap().judged, None);
    // Another seed is another audit.
    let other = journal.audit(Some(9), WIDTH).unwrap().unwrap();
    assert_eq!((other.judged, other.records), (0, 4));
}

#[test]
fn a_judgment_counts_only_for_the_committed_text() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = committed(dir.path());
    let wrong = Verdict::Wrong(Field::LabelKo);
    judge(&mut journal, ids[0], Some(wrong));
    judge(&mut journal, ids[1], Some(Verdict::Right));
    let edit = set_label("은빛 보석이 박힌 반지");
    journal.apply(&ids[..1], &edit, "edit").unwrap();
    // The committed text is still the one that was judged.
    assert_eq!(counts(&journal), (1, 1, 0, 0));
    journal.apply(&ids[..1], &Change::Commit, "commit").unwrap();
    assert_eq!(counts(&journal), (1, 0, 0, 1));
    assert_eq!(journal.summary(ids[0]).unwrap().unwrap().judged, None);
    let before = journal.audit(None, WIDTH).unwrap().unwrap();
    assert_eq!(before.error_before_changes.unwrap().hits, 1);
    // It has to be judged again, until the edit is undone.
    let again = journal.audit_sample(0, 100).unwrap().into_iter();
    assert_eq!(again.filter(|drawn| drawn.judged.is_none()).count(), 3);
    journal.undo().unwrap();
    assert_eq!(counts(&journal), (1, 1, 0, 0));
}

#[test]
fn judgments_survive_a_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = committed(dir.path());
    judge(&mut journal, ids[0], Some(Verdict::Right));
    drop(journal);
    drop(crate::store::rebuild(dir.path(), vocabulary()).unwrap());
    assert_eq!(counts(&open(dir.path())), (1, 0, 0, 0));
}
