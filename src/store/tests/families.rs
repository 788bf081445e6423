//! Groups whose images are the same drawing.

use super::*;
use crate::icon::{Drawing, Measured};

/// A drawing of this outline; `edges` tell which drawings are the same.
fn drawing(outline: u8, edges: [i8; 4]) -> Measured {
    Measured {
        drawing: Some(Drawing {
            outline: [outline; 32],
            edges: edges.to_vec(),
        }),
        ..Measured::default()
    }
}

fn families(journal: &Journal) -> Vec<Option<GroupId>> {
    let all = journal.summaries().unwrap();
    all.iter().map(|group| group.family).collect()
}

#[test]
fn a_family_grows_as_images_are_read_and_can_be_linked_with_another() {
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

    // It shows both: what was two drawings is one family.
    let changed = journal.set_measured(&[(ids[3], between)]).unwrap();
    assert_eq!(changed, ids[1..4]);
    let family = Some(ids[1]);
    assert_eq!(families(&journal), [None, family, family, family, None]);
    // Once more changes nothing.
    assert_eq!(journal.set_measured(&[(ids[1], steep)]).unwrap(), []);

    // Computed: what was lost is found again when the pictures are read.
    journal.db().execute("DELETE FROM drawings", []).unwrap();
    assert_eq!(families(&journal), [None; 5]);
    assert!(!journal.is_measured(ids[1]).unwrap());
}
