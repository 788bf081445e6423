//! Determines from an operator's steps whether the content of a draft was approved or changed.

use crate::record::{Decision as ReviewDecision, Field, Labels, ReviewState, Vocabulary};
use crate::text::{clean_text, without};
use std::collections::BTreeSet;

/// Whether the operator changed or rejected a draft: `true` if it was rejected or its content
/// changed (`content_changed`), `false` if it was approved unchanged, `None` if it is undecided.
pub fn was_changed(review: &ReviewState, content_changed: bool) -> Option<bool> {
    let is_rejected = matches!(review.decision, ReviewDecision::Rejected(_));
    match is_rejected || content_changed {
        true => Some(true),
        false => review.is_approved().then_some(false),
    }
}

/// Whether an edit changed the content of a record. Changes of form do not count: spelling,
/// synonyms, inserting the item's name, removing duplicates, filling empty fields.
pub fn content_changed(
    before: &Labels,
    after: &Labels,
    item_name: &str,
    vocabulary: &Vocabulary,
) -> bool {
    let sentence = |labels: &Labels, field| letters(labels, field, item_name);
    let words = |labels: &Labels, field| canonical(labels, field, vocabulary);
    Field::ALL.iter().copied().any(|field| match field {
        Field::LabelKo => sentence(before, field) != sentence(after, field),
        Field::LabelEn => {
            let old = sentence(before, field);
            !old.is_empty() && old != sentence(after, field)
        }
        // Adding a missing color counts as much as removing a wrong one.
        Field::Colors => words(before, field) != words(after, field),
        _ if field.words().is_some() => !words(before, field).is_subset(&words(after, field)),
        _ => !tag_and_query_words(before).is_subset(&tag_and_query_words(after)),
    })
}

fn letters(labels: &Labels, field: Field, item_name: &str) -> String {
    let text = clean_text(labels.text(field).unwrap_or_default());
    let text = without(&text, &clean_text(item_name));
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn canonical(labels: &Labels, field: Field, vocabulary: &Vocabulary) -> BTreeSet<String> {
    let word = |text: &String| match vocabulary.find(field, text) {
        Some(known) => known.word.clone(),
        None => clean_text(text).to_lowercase(),
    };
    labels.values(field).iter().map(word).collect()
}

/// All words of tags and queries.
fn tag_and_query_words(labels: &Labels) -> BTreeSet<String> {
    let texts = [Field::TagsKo, Field::QueryVariantsKo].into_iter();
    texts
        .flat_map(|field| labels.values(field))
        .flat_map(|text| text.split_whitespace())
        .map(|word| clean_text(word).to_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::labels;
    use crate::record::{CommittedBy, Line};

    fn changed(change: impl Fn(&mut Labels)) -> bool {
        let before = labels("눈꽃 모자").with(Field::LabelKo, ["붉은 천에 흰 리본이 달린 모자"]);
        let mut after = before.clone();
        change(&mut after);
        let vocabulary = Vocabulary::builtin().unwrap();
        content_changed(&before, &after, "눈꽃 모자", &vocabulary)
    }

    #[test]
    fn changes_of_form_do_not_count() {
        assert!(!changed(|_| {}));
        assert!(!changed(|l| l.set(
            Field::LabelKo,
            ["눈꽃 모자, 붉은 천에 흰 리본이 달린 모자"]
        )));
        assert!(!changed(|l| l.set(Field::Colors, ["빨간색"])));
        assert!(!changed(|l| {
            let mut tags = l.values(Field::TagsKo).to_vec();
            tags.push("방울".into());
            l.set(Field::TagsKo, tags);
        }));
        assert!(!changed(|l| l.set(Field::Vibe, ["cute", "elegant"])));
    }

    #[test]
    fn changes_of_content_count() {
        assert!(changed(
            |l| l.set(Field::LabelKo, ["푸른 천에 흰 리본이 달린 모자"])
        ));
        assert!(changed(|l| l.set(Field::Colors, ["red", "white"])));
        assert!(changed(|l| l.set(Field::ItemTypeGuess, ["sword"])));
        assert!(changed(|l| l.set(Field::TagsKo, ["모자", "파란색", "겨울"])));
    }

    #[test]
    fn a_draft_is_unchanged_once_it_is_approved() {
        let mut review = ReviewState {
            draft: Some(3),
            ..ReviewState::default()
        };
        assert_eq!(was_changed(&review, false), None);
        assert_eq!(was_changed(&review, true), Some(true));
        review.decision = ReviewDecision::Accepted;
        assert_eq!(was_changed(&review, false), Some(false));
        review.decision = ReviewDecision::Rejected("흐리다".into());
        assert_eq!(was_changed(&review, false), Some(true));
        let line = |by| ReviewState {
            draft: Some(3),
            line: Some(Line {
                record: Some(1),
                version: 3,
                by,
            }),
            ..ReviewState::default()
        };
        assert_eq!(
            was_changed(&line(CommittedBy::Operator), false),
            Some(false)
        );
        assert_eq!(was_changed(&line(CommittedBy::Batch), false), None);
    }
}
