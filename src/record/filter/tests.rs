//! Tests of filters on a few records.

use super::*;
use crate::record::testing::summary;
use crate::record::{Field, GroupId, GroupState, Reason, SourceType, Vocabulary};

fn names(filter: &str) -> Vec<String> {
    let mut ring = summary(1, "루비 반지", GroupState::Uncertain);
    ring.reasons = vec![Reason::FewTags];
    ring.labels.set(Field::Colors, ["레드"]);
    ring.labels.set(Field::LabelKo, ["루비 반지와 \"리본\""]);
    ring.uncertainty = 0.4;
    let mut hat = summary(2, "검은 모자", GroupState::Failed);
    hat.source_type = SourceType::Cash;
    hat.labels.set(Field::TagsKo, ["모자", "밤 하늘"]);
    hat.labels.set(Field::LabelKo, ["검은 모자"]);
    hat.labels.set(
        Field::QueryVariantsKo,
        ["밤 모자", "검은 모자", "하늘 모자"],
    );
    hat.uncertainty = 0.9;
    let mut coat = summary(3, "Frozen Coat", GroupState::Draft);
    coat.part = None;
    coat.family = Some(GroupId(7));
    coat.note = Some("다시 볼 것".to_owned());
    let all = [ring, hat, coat];
    let (query, wrong) = Query::parse(filter, &Vocabulary::builtin().unwrap(), &views());
    assert_eq!(wrong, None, "{filter}");
    select(&all, &query, Sort::Uncertainty, None)
        .into_iter()
        .map(|place| all[place as usize].name.clone())
        .collect()
}

fn views() -> Views {
    let mut views = Views::default();
    views.put("밤 일", "tag:하늘 | name:coat");
    views.put("loop", "view:loop");
    views
}

#[test]
fn terms_select_records() {
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
    assert_eq!(names("generic:>0.9"), ["검은 모자"]);
    assert_eq!(names("generic:<0.1"), ["루비 반지"]);
}

#[test]
fn values_match_by_substring_exactly_or_by_synonym() {
    assert_eq!(names("tag:하늘"), ["검은 모자"]);
    assert_eq!(names("tag:ㅁㅈ"), ["검은 모자"]);
    assert_eq!(names("tag:=하늘"), Vec::<String>::new());
    assert_eq!(names("tag:=\"밤 하늘\""), ["검은 모자"]);
    for red in ["red", "레", "빨강", "붉은색", "=레드"] {
        assert_eq!(names(&format!("color:{red}")), ["루비 반지"], "{red}");
    }
    assert_eq!(names("color:=red"), Vec::<String>::new());
    assert_eq!(names("color:blue"), Vec::<String>::new());
}

#[test]
fn last_word_is_the_word_being_typed() {
    assert_eq!(last_word("state:draft tag:모"), "tag:모");
    assert_eq!(last_word("tag:\"밤 하"), "tag:\"밤 하");
    assert_eq!(last_word("반지 "), "");
}

#[test]
fn words_match_fuzzily_and_by_initial_consonants() {
    assert_eq!(names("ㅂㅈ"), ["루비 반지"]);
    assert_eq!(names("반ㅈ"), ["루비 반지"]);
    assert_eq!(names("ㄱㅇ ㅁㅈ"), ["검은 모자"]);
    assert_eq!(names("frzc"), ["Frozen Coat"]);
    assert_eq!(names("coat -frozen"), Vec::<String>::new());
}

#[test]
fn unknown_values_are_reported() {
    let wrong = |filter| Query::parse(filter, &Vocabulary::builtin().unwrap(), &views()).1;
    let asleep = wrong("state:asleep").unwrap();
    assert_eq!(asleep.english, "no state `asleep`");
    assert_eq!(asleep.korean, "`asleep`이라는 상태가 없습니다");
    assert!(wrong("reason:bored").is_some());
    assert!(wrong("uncertainty:much").is_some());
}

#[test]
fn or_and_parentheses_combine_terms() {
    assert_eq!(names("name:반지 | source:cash"), ["검은 모자", "루비 반지"]);
    assert_eq!(names("name:반지 OR source:cash").len(), 2);
    assert_eq!(names("루비|frozen").len(), 2);
    let both = "-(name:반지 | name:모자)";
    assert_eq!(names(both), ["Frozen Coat"]);
    assert_eq!(names("(name:반지 | name:모자) state:failed"), ["검은 모자"]);
    assert_eq!(names("name:반지 | name:모자 state:failed").len(), 2);
    // Incomplete filters.
    assert_eq!(names("name:반지 |"), ["루비 반지"]);
    assert_eq!(names("(name:반지"), ["루비 반지"]);
}

#[test]
fn has_none_and_counts() {
    assert_eq!(names("note:다시"), ["Frozen Coat"]);
    assert_eq!(names("has:note"), ["Frozen Coat"]);
    assert_eq!(names("has:family"), ["Frozen Coat"]);
    assert_eq!(names("family:7"), ["Frozen Coat"]);
    assert_eq!(names("family:8").len(), 0);
    assert_eq!(names("none:part"), ["Frozen Coat"]);
    assert_eq!(names("part:모자").len(), 2);
    for colors in [
        "has:colors",
        "has:color",
        "colors:1",
        "colors:>0",
        "-none:colors",
    ] {
        assert_eq!(names(colors), ["루비 반지"], "{colors}");
    }
    assert_eq!(names("tags:2..5"), ["검은 모자"]);
    assert_eq!(names("queries:<3"), ["루비 반지"]);
    assert_eq!(names("themes:0").len(), 2);
}

#[test]
fn ranges_of_uncertainty() {
    let wrong = |filter| Query::parse(filter, &Vocabulary::builtin().unwrap(), &views()).1;
    assert_eq!(names("uncertainty:0.4").len(), 2);
    assert_eq!(names("uncertainty:>0.4"), ["검은 모자"]);
    assert_eq!(names("uncertainty:>=0.4").len(), 2);
    assert_eq!(names("uncertainty:<0.2"), ["Frozen Coat"]);
    assert_eq!(names("uncertainty:0.3..0.7"), ["루비 반지"]);
    // Screens show it in percent.
    assert_eq!(names("uncertainty:>50"), ["검은 모자"]);
    assert_eq!(names("uncertainty:50%"), ["검은 모자"]);
    assert_eq!(names("uncertainty:\"<20 %\""), ["Frozen Coat"]);
    assert_eq!(names("uncertainty:1..70"), ["루비 반지"]);
    assert_eq!(names("uncertainty:>1%").len(), 2);
    assert_eq!(names("uncertainty:>=1").len(), 0);
    for out_of_range in ["uncertainty:>101", "uncertainty:<-1"] {
        assert!(wrong(out_of_range).is_some(), "{out_of_range}");
    }
    assert_eq!(names("uncertainty:..0.4").len(), 2);
}

#[test]
fn a_view_expands_to_its_filter() {
    assert_eq!(names("view:\"밤 일\"").len(), 2);
    assert_eq!(names("-view:\"밤 일\""), ["루비 반지"]);
    assert_eq!(names("view:\"밤 일\" state:failed"), ["검은 모자"]);
    let wrong = |filter: &str| {
        let vocabulary = Vocabulary::builtin().unwrap();
        let wrong = Query::parse(filter, &vocabulary, &views()).1.unwrap();
        wrong.english
    };
    assert_eq!(wrong("view:x"), "no view `x`; there are loop, 밤 일");
    assert!(wrong("view:loop").starts_with("view `loop`: a view cannot contain"));
    let replaced = views().replace_in("모자 -view:\"밤 일\" | view:loop", "밤 일");
    let night = views().get("밤 일").unwrap().to_owned();
    assert_eq!(replaced, format!("모자 -({night}) | view:loop"));
    assert_eq!(views().replace_in("VIEW:\"밤 일\"", "밤 일"), night);
    let saved = Views::parse(&views().text());
    assert_eq!(saved, views());
    let mut gone = saved;
    gone.remove("밤 일");
    assert_eq!(gone.get("밤 일"), None);
}

#[test]
fn words_may_contain_colons_and_parentheses() {
    let mut hat = summary(1, "모자(여): 겨울|눈", GroupState::Draft);
    hat.labels.set(Field::TagsKo, ["눈(설)"]);
    let all = [hat];
    let vocabulary = Vocabulary::builtin().unwrap();
    let shows = |filter: &str| {
        let query = Query::parse_whole(filter, &vocabulary, &views()).unwrap();
        !select(&all, &query, Sort::Name, None).is_empty()
    };
    for filter in [
        "모자(여)",
        "(모자(여) | x)",
        "\"여): \"",
        "name:\"여): 겨울|\"",
    ] {
        assert!(shows(filter), "{filter}");
    }
    let exact = format!("tag:={}", quoted("눈(설)"));
    assert!(shows(&exact));
    assert!(!shows("\"겨울:\""));
}

#[test]
fn strict_parsing_rejects_any_error() {
    let vocabulary = Vocabulary::builtin().unwrap();
    let wrong = |filter: &str| {
        let parsed = Query::parse_whole(filter, &vocabulary, &views());
        parsed.unwrap_err().cause
    };
    for (filter, why) in [
        ("tag:", "`tag:` has no value"),
        ("state:,", "`state:,` has no value"),
        (
            "hue:red",
            "no key `hue`; quote a word that contains a colon",
        ),
        ("hue:", "no key `hue`"),
        ("(모자", "`)` is missing"),
        ("모자)", "`)` closes nothing"),
        ("모자 |", "a term is missing beside `|`"),
        ("uncertainty:a..b", "`a..b` is not a range"),
        ("tags:many", "`many` is not a number of tags"),
        ("tags:-1", "`-1` is not a number of tags: 0, >5, <3, 2..4"),
        ("tags:-3..5", "`-3..5` is not a number of tags"),
        (
            "tags:5..2",
            "`5..2` matches nothing, since 5 is more than 2: write 2..5",
        ),
        (
            "uncertainty:70..30%",
            "`70..30` matches nothing, since 70 is more than 30: write 30..70",
        ),
        ("has:wings", "no field wings: use one of label, "),
        ("view:x", "no view `x`; there are "),
    ] {
        let cause = wrong(filter);
        assert!(
            cause.starts_with(&format!("filter `{filter}`: ")),
            "{cause}"
        );
        assert!(cause.contains(why), "{cause}");
    }
    assert!(wrong(&"(".repeat(9999)).contains("more than 64 parentheses"));
}
