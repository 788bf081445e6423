//! How far the second opinions on an answer say the same.

use crate::record::{Field, Labels};
use crate::text::{self, clean_text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A list or sentence agrees with another that shares this part of its words.
const SHARED: f64 = 0.5;

/// How many of the second opinions agree on a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub agree: u32,
    pub of: u32,
}

impl Agreement {
    /// The share that does not agree, 0-1.
    pub(super) fn missing(self) -> f64 {
        match self.of {
            0 => 0.0,
            of => f64::from(of.saturating_sub(self.agree)) / f64::from(of),
        }
    }
}

/// How many opinions agree with the answer on each field that any of them says something of:
/// exactly on a single word, by the first word and most others on a list of known words, by most
/// words on free text (the item's name left out). All are normalized labels.
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

/// The part of the smaller set that the larger one has too.
fn shared<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> f64 {
    match a.len().min(b.len()) {
        0 => f64::from(u8::from(a.len() == b.len())),
        least => a.intersection(b).count() as f64 / least as f64,
    }
}

fn words(texts: &[String], item_name: &str) -> BTreeSet<String> {
    let name = clean_text(item_name);
    let text = |text: &String| {
        let text = clean_text(text);
        match name.is_empty() {
            true => text,
            false => text.replace(&name, " "),
        }
    };
    let texts: Vec<String> = texts.iter().map(text).collect();
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
    fn words_of_a_closed_list_agree_exactly_or_by_the_first_one() {
        let types: [&[&str]; 2] = [&["hat"], &["helmet"]];
        assert_eq!(on(Field::ItemTypeGuess, &["hat"], &types), (1, 2));
        let colors: [&[&str]; 4] = [&["red", "gold"], &["white", "red"], &["gold"], &[]];
        assert_eq!(on(Field::Colors, &["red", "white"], &colors), (2, 4));
    }

    #[test]
    fn sentences_agree_by_their_words_besides_the_name() {
        let labels: [&[&str]; 2] = [
            &["흰 리본이 달린 붉은 눈꽃 모자"],
            &["푸른 보석이 박힌 눈꽃 모자"],
        ];
        let answer = ["붉은 천에 흰 리본이 달린 눈꽃 모자"];
        assert_eq!(on(Field::LabelKo, &answer, &labels), (1, 2));
    }

    #[test]
    fn a_field_of_which_nobody_says_anything_is_left_out() {
        let both = agreement(&labels("모자"), &[labels("모자")], "모자");
        assert!(both.iter().all(|(field, _)| *field != Field::LabelEn));
        assert!(both.iter().all(|(_, agreement)| agreement.agree == 1));
    }
}
