//! Describes a record, its reasons and the keys of its fixes in words.

use crate::record::{
    ColorHistogram, CommittedBy, Draft, Field, GroupDetail, NextCommit, Reason, Vocabulary,
};
use crate::text::Language;
use crate::tui::keymap::{Action, KeyContext, Keymap};
use crate::wording::Words;

/// The effect of the next commit on the record's line in `labels.jsonl`, and whether it changes the
/// line.
pub fn effect_of_commit(detail: &GroupDetail, words: Words) -> Option<(&'static str, bool)> {
    match detail.next_commit() {
        NextCommit::Confirms => Some((words.confirms_line(), false)),
        NextCommit::Replaces => Some((words.replaces_line(), true)),
        NextCommit::Removes => Some((words.removes_line(), true)),
        NextCommit::Adds | NextCommit::Nothing => None,
    }
}

/// The record's line in `labels.jsonl`: what it has, from whom, and since when.
pub fn committed(detail: &GroupDetail, words: Words) -> String {
    let review = &detail.current.review;
    let Some(line) = review.line else {
        return words.not_in_labels().to_owned();
    };
    let by = match line.by {
        CommittedBy::Unread => return words.line_unread().to_owned(),
        CommittedBy::Batch => words.by_batch(),
        CommittedBy::Operator => words.by_operator(),
        CommittedBy::Import => words.by_import(),
    };
    let what = match review.is_committed() {
        true => words.this_draft(),
        false => words.another_version(),
    };
    let version = detail.version(line.version);
    let at = version.and_then(|version| version.committed.as_deref());
    match at {
        Some(at) => words.is_in_labels_since(what, by, at),
        None => words.is_in_labels(what, by),
    }
}

/// The measured colors of the picture, with their shares.
pub fn measured_colors(
    colors: &ColorHistogram,
    vocabulary: &Vocabulary,
    language: Language,
) -> String {
    let measured = colors.measured(vocabulary).into_iter();
    let measured = measured.map(|(word, share)| {
        let word = color_name(&word.word, vocabulary, language);
        format!("{word} {:.0} %", share * 100.0)
    });
    measured.collect::<Vec<_>>().join(", ")
}

/// A color word in the language of the screen.
fn color_name<'a>(word: &'a str, vocabulary: &'a Vocabulary, language: Language) -> &'a str {
    match language {
        Language::English => word,
        Language::Korean => vocabulary.korean(Field::Colors, word).unwrap_or(word),
    }
}

/// The texts that a reason is about, with the names of colors and fields in the language of the
/// screen.
pub fn reason_subjects(
    reason: Reason,
    draft: &Draft,
    vocabulary: &Vocabulary,
    words: Words,
) -> Vec<String> {
    let named = |text: &String| match reason {
        Reason::MainColorMissing => match text.rsplitn(3, ' ').collect::<Vec<_>>()[..] {
            ["%", share, word] => {
                let color = color_name(word, vocabulary, words.language());
                format!("{color} {share} %")
            }
            _ => text.clone(),
        },
        Reason::AttributesMissing | Reason::LowConfidence => {
            let mut fields = Field::ALL.iter();
            let field = fields.find(|field| field.key() == text);
            field.map_or_else(|| text.clone(), |field| words.field(*field).to_owned())
        }
        _ => text.clone(),
    };
    draft.about(reason).iter().map(named).collect()
}

/// The key that applies a fix: its digit, or for the first fix another key that is bound.
pub fn fix_key(number: usize, keymap: &Keymap) -> String {
    let keys = keymap.keys_of(KeyContext::Global, Action::Fix);
    let digit = (number + 1).to_string();
    match keys.contains(&digit) {
        true => digit,
        false if number == 0 => keys.into_iter().next().unwrap_or_default(),
        false => String::new(),
    }
}
