//! The `repetition` rule: repeated words in a label, repeated values in lists, and redundant search
//! queries.

use crate::record::normalize::unique;
use crate::record::{Field, Labels};
use crate::text::{clean_text, particles::stem, without, words};
use std::collections::HashSet;

/// Minimum Jaccard index of the words of two near-duplicate queries.
const NEAR_DUPLICATE: f32 = 0.6;

/// The repeated words of the label, the repeated values of the lists, and the queries that repeat
/// the label, the name or an earlier query. Words of the item's name do not count.
pub(super) fn repeated(labels: &Labels, name: &str) -> Vec<String> {
    let label = without(&clean_text(labels.label_ko()), &clean_text(name));
    let mut seen = HashSet::new();
    let again = words(&label)
        .map(stem)
        .filter(|word| word.chars().count() > 1)
        .filter(|word| !seen.insert(*word));
    let mut found: Vec<String> = again.map(str::to_owned).collect();
    for field in lists() {
        let values = labels.values(field);
        found.extend(dropped(values, unique(values.iter().cloned())));
    }
    let queries = labels.values(Field::QueryVariantsKo);
    found.extend(dropped(queries, distinct(queries, labels.label_ko(), name)));
    found
}

/// The values that are not among those `kept` in the same order.
fn dropped(values: &[String], kept: Vec<String>) -> impl Iterator<Item = String> {
    let mut kept = kept.into_iter().peekable();
    let values = values.iter();
    values
        .filter(move |value| kept.next_if(|kept| kept == *value).is_none())
        .cloned()
}

impl Labels {
    /// Removes a model's repetitions: consecutive repeated runs of words in the label, repeated values
    /// of lists, and queries that repeat the label, the name or an earlier query.
    pub fn without_repetition(mut self, name: &str) -> Self {
        let label = without_runs(self.label_ko());
        self.set(Field::LabelKo, [label]);
        for field in lists() {
            self.set(field, unique(self.values(field).iter().cloned()));
        }
        let queries = distinct(self.values(Field::QueryVariantsKo), self.label_ko(), name);
        self.set(Field::QueryVariantsKo, queries);
        self
    }
}

/// The lists in which every value may occur once. Queries have stricter rules.
fn lists() -> impl Iterator<Item = Field> {
    let all = Field::ALL.iter().copied();
    all.filter(|field| field.is_list() && *field != Field::QueryVariantsKo)
}

/// The queries that repeat neither the label, the name nor an earlier query, in order.
pub(in crate::record) fn distinct(queries: &[String], label: &str, name: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for query in queries {
        let is_repeated = same(query, label) || same(query, name);
        if !is_repeated && !kept.iter().any(|other| is_near_duplicate(query, other)) {
            kept.push(query.clone());
        }
    }
    kept
}

fn same(a: &str, b: &str) -> bool {
    words(a).eq(words(b))
}

fn is_near_duplicate(a: &str, b: &str) -> bool {
    let (a, b): (HashSet<&str>, HashSet<&str>) = (words(a).collect(), words(b).collect());
    let shared = a.intersection(&b).count();
    let all = a.union(&b).count();
    all > 0 && shared as f32 >= NEAR_DUPLICATE * all as f32
}

/// Removes consecutive repeated runs of words.
fn without_runs(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    let mut at = 0;
    while at < words.len() {
        let left = &words[at..];
        match (1..=left.len() / 2)
            .rev()
            .find(|&run| left[..run] == left[run..2 * run])
        {
            Some(run) => drop(words.drain(at..at + run)),
            None => at += 1,
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::labels;

    fn with(label: &str, queries: &[&str]) -> Labels {
        labels("모자")
            .with(Field::LabelKo, [label])
            .with(Field::QueryVariantsKo, queries.iter().copied())
    }

    const QUERIES: [&str; 3] = ["빨간 모자", "리본 장식", "겨울 방한 용품"];
    const NOTHING: [&str; 0] = [];

    #[test]
    fn ordinary_labels_have_no_repetitions() {
        assert_eq!(repeated(&labels("모자"), "모자"), NOTHING);
        // Any sentence may repeat words of the name.
        let named = with("눈꽃 모자, 흰 눈꽃", &QUERIES);
        assert_eq!(repeated(&named, "눈꽃 모자"), NOTHING);
    }

    #[test]
    fn repeated_words_and_near_duplicate_queries_are_found() {
        for (label, words) in [
            (
                "블루 레드 라인 블루 레드 라인 모자",
                &["블루", "레드", "라인"][..],
            ),
            ("검은색과 검은색의 모자", &["검은색"]),
        ] {
            assert_eq!(repeated(&with(label, &QUERIES), "모자"), words);
            assert_eq!(repeated(&with(label, &QUERIES), ""), words, "no name");
        }
        for (queries, twin) in [
            (
                ["붉은 모자 리본", "모자 붉은 리본", "겨울"],
                "모자 붉은 리본",
            ),
            (["빨간 모자", "눈꽃 모자", "겨울"], "눈꽃 모자"),
            (
                ["붉은 리본이 달린 모자", "겨울", "방한"],
                "붉은 리본이 달린 모자",
            ),
        ] {
            let labels = with("붉은 리본이 달린 모자", &queries);
            assert_eq!(repeated(&labels, "눈꽃 모자"), [twin]);
        }
    }

    #[test]
    fn a_value_may_occur_once_in_a_list() {
        let labels = with("붉은 눈꽃 모자", &QUERIES)
            .with(Field::TagsKo, ["모자", "리본", "모자", "LED", "led"])
            .with(Field::Vibe, ["귀여운", "귀여운"]);
        assert_eq!(repeated(&labels, "눈꽃 모자"), ["모자", "led", "귀여운"]);
        let once = labels.without_repetition("눈꽃 모자");
        assert_eq!(once.values(Field::TagsKo), ["모자", "리본", "LED"]);
        assert_eq!(once.values(Field::Vibe), ["귀여운"]);
    }

    #[test]
    fn repetitions_are_removed() {
        let clean = with(
            "블루 라인 블루 라인 블루 라인 눈꽃 모자",
            &[
                "눈꽃 모자",
                "블루 라인 모자",
                "블루 라인 털모자",
                "블루 라인 모자 블루",
                "겨울",
            ],
        )
        .without_repetition("눈꽃 모자");
        assert_eq!(clean.label_ko(), "블루 라인 눈꽃 모자");
        assert_eq!(
            clean.values(Field::QueryVariantsKo),
            ["블루 라인 모자", "블루 라인 털모자", "겨울"]
        );
        assert_eq!(repeated(&clean, "눈꽃 모자"), NOTHING);
        assert_eq!(clean.clone().without_repetition("눈꽃 모자"), clean);
    }
}
