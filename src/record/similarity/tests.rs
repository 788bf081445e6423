use super::*;
use crate::record::testing::labels;
use crate::record::to_oklab;

const RED: [u8; 3] = [217, 43, 43];
const BLUE: [u8; 3] = [47, 111, 223];

fn appearance(part: &str, rgb: [u8; 3], opaque: u32, edges: &[i8]) -> Appearance {
    let colors = ColorHistogram {
        opaque,
        bins: vec![(to_oklab(rgb), 1.0)],
        ..ColorHistogram::default()
    };
    let vocabulary = Vocabulary::builtin().unwrap();
    Appearance::of(("별", Some(part)), &colors, Some(edges), None, &vocabulary).unwrap()
}

fn approved(all: Vec<(i64, Appearance)>) -> ApprovedRecords {
    let mut records = ApprovedRecords::default();
    let all = all.into_iter().map(|(id, appearance)| ApprovedRecord {
        group: GroupId(id),
        record: id,
        image_path: format!("{id}.png"),
        item_name: "별".to_owned(),
        labels: labels("별"),
        appearance,
    });
    records.update(&[], all.collect());
    records
}

fn nearest(records: &ApprovedRecords, to: &Appearance) -> Vec<i64> {
    let found = records.nearest(to, GroupId(0), 9).into_iter();
    found.map(|near| near.group.0).collect()
}

#[test]
fn the_nearest_share_the_kind_and_are_similar_in_color_drawing_and_size() {
    let edges = [127, -20, -20, -20];
    let hat = appearance("모자", RED, 300, &edges);
    let records = approved(vec![
        (1, appearance("모자", BLUE, 300, &edges)),
        (2, appearance("모자", RED, 1200, &edges)),
        (3, appearance("모자", RED, 310, &[127, 127, -127, -127])),
        (4, appearance("신발", RED, 300, &edges)),
        (5, appearance("모자", RED, 310, &edges)),
    ]);
    assert_eq!(nearest(&records, &hat), [5, 3, 2, 1]);
}

#[test]
fn a_family_member_is_nearest_regardless_of_color() {
    let hat = |rgb, family| Appearance {
        family,
        ..appearance("모자", rgb, 300, &[0, 0])
    };
    let family = Some(GroupId(1));
    let records = approved(vec![(1, hat(BLUE, family)), (2, hat([220, 50, 60], None))]);
    assert_eq!(nearest(&records, &hat(RED, None)), [2, 1]);
    assert_eq!(nearest(&records, &hat([160, 80, 60], family)), [1, 2]);
}

#[test]
fn a_withdrawn_record_is_not_found_and_a_record_does_not_find_itself() {
    let hat = appearance("모자", RED, 300, &[]);
    let mut records = approved(vec![(1, hat.clone()), (2, hat.clone())]);
    records.update(&[GroupId(2)], vec![]);
    assert_eq!(nearest(&records, &hat), [1]);
    assert!(records.nearest(&hat, GroupId(1), 9).is_empty());
}
