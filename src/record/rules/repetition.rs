//! Words that a label repeats, and search queries that say the same.

use crate::record::{Field, Labels};
use crate::text::clean_text;
use std::collections::HashSet;

/// Two queries that share so much of their words are near twins (Jaccard index).
const TWINS: f32 = 0.6;
/// Particles that do not make another word of one.
const PARTICLES: [&str; 10] = ["의", "과", "와", "을", "를", "이", "가", "은", "는", "로"];

/// Whether the label repeats a word, or a query says what the label, the name or another query
/// says. The words of the item's name do not count.
pub(super) fn repeats(labels: &Labels, name: &str) -> bool {
    let label = clean_text(labels.label_ko()).replace(&clean_text(name), " ");
    let mut seen = HashSet::new();
    let again = words(&label)
        .map(stem)
        .filter(|word| word.chars().count() > 1)
        .any(|word| !seen.insert(word));
    let queries = labels.values(Field::QueryVariantsKo);
    again || distinct(queries, labels.label_ko(), name).len() < queries.len()
}

impl Labels {
    /// The same without what a model repeats: runs of words that stand twice in a row in the
    /// label, and queries that say what the label, the name or an earlier query says.
    pub fn without_repetition(mut self, name: &str) -> Self {
        let label = without_runs(self.label_ko());
        self.set(Field::LabelKo, [label]);
        let queries = distinct(self.values(Field::QueryVariantsKo), self.label_ko(), name);
        self.set(Field::QueryVariantsKo, queries);
        self
    }
}

/// The queries that say something of their own, in their order.
pub(in crate::record) fn distinct(queries: &[String], label: &str, name: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for query in queries {
        let taken = same(query, label) || same(query, name);
        if !taken && !kept.iter().any(|other| is_twin(query, other)) {
            kept.push(query.clone());
        }
    }
    kept
}

fn same(a: &str, b: &str) -> bool {
    words(a).eq(words(b))
}

fn is_twin(a: &str, b: &str) -> bool {
    let (a, b): (HashSet<&str>, HashSet<&str>) = (words(a).collect(), words(b).collect());
    let shared = a.intersection(&b).count();
    let all = a.union(&b).count();
    all > 0 && shared as f32 >= TWINS * all as f32
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// `검은색과` and `검은색의` repeat one word.
fn stem(word: &str) -> &str {
    PARTICLES
        .iter()
        .filter_map(|particle| word.strip_suffix(particle))
        .find(|stem| stem.chars().count() > 1)
        .unwrap_or(word)
}

/// The text without runs of words that stand twice in a row.
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

    #[test]
    fn ordinary_labels_repeat_nothing() {
        assert!(!repeats(&labels("모자"), "모자"));
        // Words of the name come again in every sentence about it.
        assert!(!repeats(&with("눈꽃 모자, 흰 눈꽃", &QUERIES), "눈꽃 모자"));
    }

    #[test]
    fn repeated_words_and_twins_are_found() {
        for label in [
            "블루 레드 라인 블루 레드 라인 모자",
            "검은색과 검은색의 모자",
        ] {
            assert!(repeats(&with(label, &QUERIES), "모자"), "{label}");
        }
        for twin in [
            &["붉은 모자 리본", "모자 붉은 리본", "겨울"][..],
            &["빨간 모자", "눈꽃 모자", "겨울"],
            &["붉은 리본이 달린 모자", "겨울", "방한"],
        ] {
            assert!(
                repeats(&with("붉은 리본이 달린 모자", twin), "눈꽃 모자"),
                "{twin:?}"
            );
        }
    }

    #[test]
    fn what_a_model_repeats_is_left_out() {
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
        assert!(!repeats(&clean, "눈꽃 모자"));
        assert_eq!(clean.clone().without_repetition("눈꽃 모자"), clean);
    }
}
