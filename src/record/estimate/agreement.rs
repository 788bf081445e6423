//! Measures the agreement of second opinions with an answer.

use crate::record::{Field, Labels};
use crate::text::{self, clean_text, without};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The minimum share of common words for two lists or sentences to agree.
const SHARED: f64 = 0.5;

/// The number of second opinions that agree on a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub agree: u32,
    pub of: u32,
}

impl Agreement {
    /// The share of opinions that disagree, 0-1.
    pub(super) fn disagreement(self) -> f64 {
        match self.of {
            0 => 0.0,
            of => f64::from(of.saturating_sub(self.agree)) / f64::from(of),
        }
    }
}

/// Counts the opinions that agree with the answer, for each field with any value. A single word
/// must be equal. A list of vocabulary words must contain the answer's first word and share at
/// least half of the words. Free text must share at least half of the words, ignoring the
/// item's name. All labels must be normalized.
pub fn agreement(answer: &Labels, opinions: &[Labels], item_name: &str) -> Vec<(Field, Agreement)> {
    let of = opinions.len() as u32;
    let fields = Field::ALL.iter().copied().filter(|field| {
        let mut all = opinions.iter().chain([answer]);
        field.is_in_opinions() && all.any(|labels| !labels.values(*field).is_empty())
    });
    fields
        .map(|field| {
            let agree = opinions
                .iter()
                .filter(|opinion| agrees(answer, opinion, field, item_name))
                .count() as u32;
            (field, Agreement { agree, of })
        })
        .collect()
}

fn agrees(answer: &Labels, opinion: &Labels, field: Field, item_name: &str) -> bool {
    let (a, b) = (answer.values(field), opinion.values(field));
    if field.is_closed() && !field.is_list() {
        return a == b;
    }
    if field.words().is_some() {
        let same_first = match (a.first(), b.first()) {
            (Some(first), Some(_)) => b.contains(first),
            (None, None) => true,
            _ => false,
        };
        let (a, b) = (a.iter().collect(), b.iter().collect());
        return same_first && shared(&a, &b) >= SHARED;
    }
    let (a, b) = (words(a, item_name), words(b, item_name));
    let (a, b) = (a.iter().collect(), b.iter().collect());
    shared(&a, &b) >= SHARED
}

/// The share of the smaller set that the larger one contains.
fn shared<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> f64 {
    match a.len().min(b.len()) {
        0 => f64::from(u8::from(a.len() == b.len())),
        least => a.intersection(b).count() as f64 / least as f64,
    }
}

fn words(texts: &[String], item_name: &str) -> BTreeSet<String> {
    let name = clean_text(item_name);
    let texts = texts.iter().map(|text| without(&clean_text(text), &name));
    let texts: Vec<String> = texts.collect();
    texts
        .iter()
        .flat_map(|text| text::words(text))
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::labels;

    fn on(field: Field, answer: &[&str], opinions: &[&[&str]]) -> (u32, u32) {
        let with = |values: &&[&str]| labels("모자").with(field, values.iter().copied());
        let opinions: Vec<Labels> = opinions.iter().map(with).collect();
        let all = agreement(&with(&answer), &opinions, "눈꽃 모자");
        let (_, found) = all.iter().find(|(of, _)| *of == field).unwrap();
        (found.agree, found.of)
    }

    #[test]
    fn closed_lists_agree_exactly_or_by_the_first_word() {
        let types: [&[&str]; 2] = [&["hat"], &["helmet"]];
        assert_eq!(on(Field::ItemTypeGuess, &["hat"], &types), (1, 2));
        let colors: [&[&str]; 4] = [&["red", "gold"], &["white", "red"], &["gold"], &[]];
        assert_eq!(on(Field::Colors, &["red", "white"], &colors), (2, 4));
    }

    #[test]
    fn sentences_agree_by_their_words_excluding_the_name() {
        let labels: [&[&str]; 2] = [
            &["흰 리본이 달린 붉은 눈꽃 모자"],
            &["푸른 보석이 박힌 눈꽃 모자"],
        ];
        let answer = ["붉은 천에 흰 리본이 달린 눈꽃 모자"];
        assert_eq!(on(Field::LabelKo, &answer, &labels), (1, 2));
    }

    #[test]
    fn a_field_without_any_value_is_left_out() {
        let both = agreement(&labels("모자"), &[labels("모자")], "모자");
        assert!(both.iter().all(|(field, _)| *field != Field::LabelEn));
        assert!(both.iter().all(|(_, agreement)| agreement.agree == 1));
    }
}
