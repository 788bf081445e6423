//! Recolor families and derived records.

use super::*;
use crate::icon::{Drawing, Edges, Measured};
use crate::record::{ApprovedRecords, ColorHistogram, Origin, Recoloring, to_oklab};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A drawing with this outline; drawings with similar `edges` are the same.
fn drawing(outline: u8, edges: [i8; 4]) -> Measured {
    Measured {
        drawing: Some(Drawing {
            outline: [outline; 32],
            edges: Edges::new(edges.into()),
            is_plate: false,
        }),
        ..Measured::default()
    }
}

fn families(journal: &Journal) -> Vec<Option<GroupId>> {
    let all = journal.summaries().unwrap();
    all.iter().map(|group| group.family).collect()
}

#[test]
fn families_grow_and_merge_as_images_are_measured() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "모자", "검", "장갑", "망토"]);
    let plain = Measured::default();
    let steep = drawing(1, [120, -40, -40, -40]);
    let between = drawing(1, [105, 45, -75, -75]);
    let other = drawing(1, [40, 120, -80, -80]);
    let elsewhere = drawing(2, [120, -40, -40, -40]);
    assert!(!journal.is_measured(ids[0]).unwrap());
    let changed = journal
        .set_measured(&[
            (ids[0], elsewhere),
            (ids[1], steep.clone()),
            (ids[4], plain),
        ])
        .unwrap();
    assert_eq!(changed, []);
    assert!(journal.is_measured(ids[4]).unwrap());
    assert_eq!(journal.set_measured(&[(ids[2], other)]).unwrap(), []);
    assert_eq!(families(&journal), [None; 5]);

    // It matches both drawings, so they become one family.
    let changed = journal.set_measured(&[(ids[3], between)]).unwrap();
    assert_eq!(changed, ids[1..4]);
    let family = Some(ids[1]);
    assert_eq!(families(&journal), [None, family, family, family, None]);
    // Measuring an image again changes nothing.
    assert_eq!(journal.set_measured(&[(ids[1], steep)]).unwrap(), []);

    // Lost drawings are measured again when the images are read.
    journal.db().execute("DELETE FROM drawings", []).unwrap();
    assert_eq!(families(&journal), [None; 5]);
    assert!(!journal.is_measured(ids[1]).unwrap());
}

/// Reference implementation: compares every image with every other.
#[derive(Default)]
struct Reference {
    drawings: Vec<Option<Drawing>>,
    families: Vec<Option<GroupId>>,
}

impl Reference {
    fn measure(&mut self, ids: &[GroupId], at: usize, measured: &Measured) {
        self.drawings[at].clone_from(&measured.drawing);
        let Some(drawing) = &measured.drawing else {
            return;
        };
        let same = |other: &Option<Drawing>| other.as_ref().is_some_and(|it| it.is_same(drawing));
        let shown = (0..ids.len()).filter(|other| *other != at && same(&self.drawings[*other]));
        let mut linked: Vec<usize> = shown.collect();
        if linked.is_empty() {
            return;
        }
        linked.push(at);
        let named = |at: &usize| self.families[*at].unwrap_or(ids[*at]);
        let family = linked.iter().map(named).min();
        let old: Vec<_> = linked.iter().filter_map(|at| self.families[*at]).collect();
        for (at, of) in self.families.iter_mut().enumerate() {
            if linked.contains(&at) || of.is_some_and(|of| old.contains(&of)) {
                *of = family;
            }
        }
    }
}

#[test]
fn families_equal_those_of_comparing_all_pairs() {
    let mut random = StdRng::seed_from_u64(11);
    let names: Vec<String> = (0..150).map(|at| format!("모자 {at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &names);
    let mut reference = Reference {
        drawings: vec![None; ids.len()],
        families: vec![None; ids.len()],
    };
    let mut joined = 0;
    for round in 0..60 {
        let batch: Vec<_> = (0..random.random_range(1..12))
            .map(|_| {
                let at = random.random_range(0..ids.len());
                let measured = match random.random_range(0..12) {
                    0 => Measured::default(),
                    1 => drawing(1, [0; 4]),
                    _ => {
                        let edges = std::array::from_fn(|_| random.random_range(-127..=127));
                        drawing(random.random_range(0..8), edges)
                    }
                };
                (at, measured)
            })
            .collect();
        let before = reference.families.clone();
        for (at, measured) in &batch {
            reference.measure(&ids, *at, measured);
        }
        let batch: Vec<_> = batch.into_iter().map(|(at, it)| (ids[at], it)).collect();
        let changed = journal.set_measured(&batch).unwrap();
        assert_eq!(families(&journal), reference.families, "round {round}");
        for (at, id) in ids.iter().enumerate() {
            if before[at] != reference.families[at] {
                assert!(changed.contains(id), "round {round}");
                joined += 1;
            }
        }
        if round % 20 == 19 {
            // The cache starts empty.
            drop(journal);
            journal = open(dir.path());
        }
    }
    assert!(joined > 50, "{joined}");
}

#[test]
fn a_derived_record_is_an_answer_with_its_origin() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let ids = add(&mut journal, &["반지", "모자", "검"]);
    let same = |id: &GroupId| (*id, drawing(1, [120, -40, -40, -40]));
    let measured: Vec<_> = ids.iter().map(same).collect();
    journal.set_measured(&measured).unwrap();
    assert_eq!(journal.relatives(ids[0]).unwrap().source, None);
    let answer = attempt(labels("모자"), &[]);
    journal.add_attempt(ids[1], &answer).unwrap();
    let relatives = journal.relatives(ids[0]).unwrap();
    assert_eq!(relatives.groups, ids[1..]);
    assert_eq!(relatives.source, Some(ids[1]));

    let none = Recoloring::default();
    let derived = journal
        .derived_labels(ids[0], ids[1], &none)
        .unwrap()
        .unwrap();
    assert!(
        derived.label_ko().ends_with("반지"),
        "{}",
        derived.label_ko()
    );
    let added = journal
        .add_derived(ids[0], ids[1], &derived)
        .unwrap()
        .unwrap();
    assert!(added.is_draft);
    let detail = journal.detail(ids[0]).unwrap().unwrap();
    assert_eq!(detail.derived_from.as_deref(), Some("모자"));
    let draft = detail.draft.unwrap();
    assert_eq!(draft.origin, Origin::Derived(ids[1]));
    assert_eq!(draft.model, "Qwen/Qwen2-VL-2B-Instruct");
    assert!(detail.attempts.is_empty());

    // No record is derived from a derived one unless an operator has edited it.
    journal
        .apply(
            &[ids[1]],
            &Change::Reject {
                reason: "no".into(),
            },
            "reject",
        )
        .unwrap();
    assert_eq!(journal.relatives(ids[2]).unwrap().source, None);
    journal
        .apply(&[ids[0]], &set_label("푸른 반지"), "edit")
        .unwrap();
    assert_eq!(journal.relatives(ids[2]).unwrap().source, Some(ids[0]));
    journal.undo().unwrap();
    journal.undo().unwrap();
    assert_eq!(journal.relatives(ids[2]).unwrap().source, Some(ids[1]));
}

#[test]
fn operator_commits_are_found_by_icon_until_undone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, ids) = labeled(dir.path(), &["눈꽃 모자", "별빛 모자", "달빛 모자"]);
    let red = ColorHistogram {
        opaque: 200,
        bins: vec![(to_oklab([217, 43, 43]), 1.0)],
        ..ColorHistogram::default()
    };
    let measured = Measured {
        colors: red,
        ..drawing(1, [120, -40, -40, -40])
    };
    let all = ids.iter().map(|id| (*id, measured.clone()));
    journal.set_measured(&all.collect::<Vec<_>>()).unwrap();
    journal.apply(&ids[..1], &Change::Commit, "commit").unwrap();
    // A record that the batch committed is not an example.
    journal.commit_automatic(ids[1]).unwrap();
    let approved = journal.approved(None).unwrap();
    assert_eq!(approved.len(), 1);
    assert_eq!(approved[0].item_name, "눈꽃 모자");
    assert_eq!(journal.approved(Some(&ids)).unwrap(), approved);
    assert_eq!(journal.approved(Some(&ids[1..])).unwrap(), []);
    let mut records = ApprovedRecords::default();
    records.update(&[], approved);
    let appearance = journal.appearance(ids[2]).unwrap().unwrap();
    assert_eq!(records.nearest(&appearance, ids[2], 3).len(), 1);
    journal.undo().unwrap();
    assert_eq!(journal.approved(None).unwrap(), []);
}
