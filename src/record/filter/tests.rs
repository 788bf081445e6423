//! What filters show.

use super::*;
use crate::record::testing::summary;
use crate::record::{Field, GroupState, Reason, SourceType, Vocabulary};

fn names(filter: &str) -> Vec<String> {
    let mut ring = summary(1, "루비 반지", GroupState::Uncertain);
    ring.reasons = vec![Reason::FewTags];
    ring.labels.set(Field::Colors, ["red"]);
    ring.uncertainty = 0.4;
    let mut hat = summary(2, "검은 모자", GroupState::Failed);
    hat.source_type = SourceType::Cash;
    hat.labels.set(Field::TagsKo, ["모자", "밤 하늘"]);
    hat.uncertainty = 0.9;
    let coat = summary(3, "Frozen Coat", GroupState::Draft);
    let all = [ring, hat, coat];
    let (query, wrong) = Query::parse(filter, &Vocabulary::builtin().unwrap());
    assert_eq!(wrong, None, "{filter}");
    select(&all, &query, Sort::Uncertainty, None)
        .into_iter()
        .map(|place| all[place as usize].name.clone())
        .collect()
}

#[test]
fn expressions() {
    assert_eq!(names("").len(), 3);
    assert_eq!(names("state:review"), ["검은 모자", "루비 반지"]);
    assert_eq!(names("state:draft"), ["Frozen Coat"]);
    assert_eq!(names("state:offered"), Vec::<String>::new());
    assert_eq!(names("state:uncertain,draft"), ["루비 반지", "Frozen Coat"]);
    assert_eq!(names("-state:review"), ["Frozen Coat"]);
    assert_eq!(names("reason:few_tags color:red"), ["루비 반지"]);
    assert_eq!(names("source:cash"), ["검은 모자"]);
    assert_eq!(names("tag:\"밤 하늘\""), ["검은 모자"]);
    assert_eq!(names("uncertainty:>0.5"), ["검은 모자"]);
    assert_eq!(names("tag:"), names(""));
}

#[test]
fn tags_colors_and_types_by_part_whole_or_another_name() {
    assert_eq!(names("tag:하늘"), ["검은 모자"]);
    assert_eq!(names("tag:ㅁㅈ"), ["검은 모자"]);
    assert_eq!(names("tag:=하늘"), Vec::<String>::new());
    assert_eq!(names("tag:=\"밤 하늘\""), ["검은 모자"]);
    for red in ["red", "re", "빨강", "붉은색"] {
        assert_eq!(names(&format!("color:{red}")), ["루비 반지"], "{red}");
    }
    assert_eq!(names("color:blue"), Vec::<String>::new());
}

#[test]
fn the_word_being_typed() {
    assert_eq!(last_word("state:draft tag:모"), "tag:모");
    assert_eq!(last_word("tag:\"밤 하"), "tag:\"밤 하");
    assert_eq!(last_word("반지 "), "");
}

#[test]
fn words_fuzzy_and_by_initial_consonants() {
    assert_eq!(names("ㅂㅈ"), ["루비 반지"]);
    assert_eq!(names("반ㅈ"), ["루비 반지"]);
    assert_eq!(names("ㄱㅇ ㅁㅈ"), ["검은 모자"]);
    assert_eq!(names("frzc"), ["Frozen Coat"]);
    assert_eq!(names("coat -frozen"), Vec::<String>::new());
}

#[test]
fn what_is_not_understood_is_said() {
    let wrong = |filter| Query::parse(filter, &Vocabulary::builtin().unwrap()).1;
    assert_eq!(wrong("state:asleep").as_deref(), Some("no state `asleep`"));
    assert!(wrong("reason:bored").is_some());
    assert!(wrong("uncertainty:much").is_some());
}
