//! The quality rules, which find the reasons of a record. Pure functions of the labels and their
//! item.

mod color;
mod color_claims;
mod context;
mod details;
mod excerpt;
mod repetition;
mod writing_system;

pub use color::{ColorHistogram, nearest_color, word_matches_color};
pub use color_claims::ColorClaim;
pub(super) use color_claims::color_of;
pub use context::RecordContext;
pub(super) use excerpt::{is_readable, is_readable_name};
pub(super) use repetition::distinct;
pub use writing_system::estimate_tokens;

use super::normalize::unique;
use super::{Field, FieldConfidence, Labels, Reason, RetrievalResult, Word};
use crate::text::{Language, clean_text, is_word_char, particles::stem};
pub(super) use details::describes_nothing_visible;
use excerpt::{beginning_of_name, excerpt};
use std::collections::HashSet;

pub const MIN_TAGS: usize = 5;
pub const MIN_QUERIES: usize = 3;
/// Maximum number of tokens that CLIP- and SigLIP-like text encoders read, see
/// [`estimate_tokens`].
pub const MAX_TOKENS: usize = 64;
/// Minimum geometric mean probability of a field's sampled tokens. This and the following are
/// probabilities among the tokens that the grammar allowed. The value lies in a gap of the demo
/// model's fields: below it are 4 of the 6 records that were uncertain when all tokens counted and
/// no others; the lowest field above it has 0.80.
pub const LOW_MEAN: f32 = 0.7;
/// Minimum probability of the least probable token in a field with a closed list. Free text is
/// exempt: one surprising syllable is normal in a sentence, but means a guess in `red`.
pub const LOW_WEAKEST: f32 = 0.55;
/// A token below this probability marks its word as uncertain. Chosen to mark about as many words
/// of the demo model as when all tokens counted.
pub const WEAK_TOKEN: f32 = 0.33;

/// All reasons found in the labels, including the model's own, in the order of [`Reason::ALL`].
/// Labels far over the limits of a record are truncated first. The engine adds
/// `quality_retry_failed` and the import adds `unread_line`.
pub fn check(labels: &Labels, context: &RecordContext) -> Vec<Reason> {
    let (labels, context) = (&*excerpt(labels), &readable(context));
    let claims = labels.color_claims(context.item_name, context.vocabulary);
    let all = Reason::ALL.iter().copied();
    all.filter(|&reason| evidence(reason, labels, &claims, context).is_some())
        .collect()
}

/// The reasons that have details, each with them: the offending words (`블랙`), the missing colors
/// with their shares (`white 71 %`), or the empty fields (`material`).
pub fn about_reasons(labels: &Labels, context: &RecordContext) -> Vec<(Reason, Vec<String>)> {
    let (labels, context) = (&*excerpt(labels), &readable(context));
    let claims = labels.color_claims(context.item_name, context.vocabulary);
    let details = |reason| {
        let mut about = evidence(reason, labels, &claims, context).unwrap_or_default();
        let mut seen = HashSet::new();
        about.retain(|text| seen.insert(text.clone()));
        about
    };
    let all = Reason::ALL.iter().copied();
    all.map(|reason| (reason, details(reason)))
        .filter(|(_, about)| !about.is_empty())
        .collect()
}

/// The context with names truncated to the limits.
fn readable<'a>(context: &RecordContext<'a>) -> RecordContext<'a> {
    RecordContext {
        item_name: beginning_of_name(context.item_name),
        current_name: beginning_of_name(context.current_name),
        ..*context
    }
}

/// Checks the rule of one reason. Returns its details, or `None` if it does not apply.
fn evidence(
    reason: Reason,
    labels: &Labels,
    claims: &[ColorClaim],
    context: &RecordContext,
) -> Option<Vec<String>> {
    let (label, name) = (labels.label_ko(), context.item_name);
    match reason {
        Reason::TooSmall | Reason::AmbiguousIcon | Reason::LowVisualSignal => {
            found_if(labels.model_reasons.contains(&reason))
        }
        Reason::FewTags => {
            found_if(unique(labels.values(Field::TagsKo).iter().cloned()).len() < MIN_TAGS)
        }
        Reason::FewQueries => found_if(labels.values(Field::QueryVariantsKo).len() < MIN_QUERIES),
        Reason::LabelEqualsItemName => found_if(is_name_alone(label, name)),
        // An exact comparison, since both are exported as they are.
        Reason::ItemNameMissing => {
            let holds_other = is_renamed(context) && label.contains(context.current_name);
            let is_missing = context.with_metadata && !label.contains(name) && !holds_other;
            is_missing.then(|| vec![context.current_name.to_owned()])
        }
        Reason::AttributesMissing => non_empty(missing_attributes(labels, context)),
        Reason::CommaList => found_if(is_comma_list(label, name)),
        Reason::MixedScript => non_empty(foreign_words(labels, name)),
        Reason::DuplicateLabel => found_if(context.is_duplicate),
        Reason::ColorMismatch => non_empty(wrong_color_words(claims, context)),
        Reason::MainColorMissing => missing_main_colors(labels, claims, context),
        Reason::NothingVisible => found_if(
            !is_name_alone(label, name)
                && describes_nothing_visible(label, name, context.vocabulary),
        ),
        // Labels made without metadata use no name.
        Reason::NameMismatch => {
            (context.with_metadata && is_renamed(context)).then(|| vec![name.to_owned()])
        }
        Reason::Repetition => non_empty(repetition::repeated(labels, name)),
        Reason::LabelTooLong => {
            let tokens = estimate_tokens(label);
            (tokens > MAX_TOKENS).then(|| vec![format!("{tokens} tokens")])
        }
        Reason::LowConfidence => non_empty(low_fields(context.confidence)),
        Reason::Truncated => found_if(context.truncated),
        Reason::NotFound => not_found(labels, context.retrieved?),
        Reason::QualityRetryFailed | Reason::UnreadLine => None,
    }
}

fn found_if(found: bool) -> Option<Vec<String>> {
    found.then(Vec::new)
}

fn non_empty(found: Vec<String>) -> Option<Vec<String>> {
    (!found.is_empty()).then_some(found)
}

/// The rank of the image, and the name and path of the image found instead.
fn not_found(labels: &Labels, retrieved: &RetrievalResult) -> Option<Vec<String>> {
    let search = retrieved.miss(labels)?;
    let mut about = vec![format!("{}/{}", search.rank, retrieved.images)];
    if let Some(other) = &search.confused {
        let name = match other.item_name.is_empty() {
            true => &other.image_path,
            false => &other.item_name,
        };
        about.extend([name.clone(), other.image_path.clone()]);
    }
    Some(about)
}

/// The words that claim a color that the pixels do not show.
fn wrong_color_words(claims: &[ColorClaim], context: &RecordContext) -> Vec<String> {
    let Some(colors) = context.colors else {
        return Vec::new();
    };
    let claimed: Vec<&Word> = claims.iter().map(|claim| claim.word).collect();
    let wrong = colors.contradicted(&claimed, context.vocabulary);
    let wrong = claims.iter().filter(|claim| wrong.contains(&claim.word));
    wrong.map(|claim| stem(&claim.text).to_owned()).collect()
}

/// The main colors that the record does not mention, if they are most of the icon. A color of the
/// item's name is mentioned but not claimed: alone, it says nothing about the icon.
fn missing_main_colors(
    labels: &Labels,
    claims: &[ColorClaim],
    context: &RecordContext,
) -> Option<Vec<String>> {
    let (colors, vocabulary) = (context.colors?, context.vocabulary);
    let misses = |named: &[&Word]| colors.misses_main_color(named, vocabulary);
    let claimed: Vec<&Word> = claims.iter().map(|claim| claim.word).collect();
    if !misses(&claimed) {
        return None;
    }
    let mentioned = labels.mentioned_colors(vocabulary);
    misses(&mentioned).then(|| {
        let main = colors.measured(vocabulary).into_iter();
        main.filter(|(word, _)| !mentioned.contains(word))
            .map(|(word, share)| format!("{} {:.0} %", word.word, share * 100.0))
            .collect()
    })
}

/// The low-confidence fields, each with its low-confidence words.
fn low_fields(confidence: &[FieldConfidence]) -> Vec<String> {
    let low = confidence.iter().filter(|field| is_low(field));
    low.flat_map(|low| {
        let words = low.weak_words.iter().map(|word| word.trim().to_owned());
        std::iter::once(low.field.key().to_owned()).chain(words)
    })
    .filter(|text| !text.is_empty())
    .collect()
}

/// Whether the item has been renamed since the labels were written.
fn is_renamed(context: &RecordContext) -> bool {
    clean_text(context.item_name) != clean_text(context.current_name)
}

/// Whether the model's confidence in this field is low.
pub fn is_low(field: &FieldConfidence) -> bool {
    field.mean < LOW_MEAN || (field.field.is_closed() && field.weakest < LOW_WEAKEST)
}

fn is_name_alone(label: &str, name: &str) -> bool {
    let name = letters(name);
    let label = letters(label);
    let Some(rest) = label.strip_prefix(name.as_str()) else {
        return false;
    };
    !name.is_empty() && matches!(rest, "" | "입니다" | "이다" | "이에요" | "예요")
}

fn letters(text: &str) -> String {
    clean_text(text)
        .chars()
        .filter(|c| is_word_char(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The required attributes that are empty. A record must have an item type, colors, and at least
/// one of theme, material and vibe. `unknown` and `unclear` do not count.
///
/// This is strict on purpose: a search for "a red hat" does not find a record without a color or a
/// type, no matter what else it says. Every answer under the grammar can have all three. Labels of
/// earlier programs often lack colors; the queue shows such records after those with worse
/// problems.
fn missing_attributes(labels: &Labels, context: &RecordContext) -> Vec<String> {
    let is_known = |text: &String| !matches!(text.as_str(), "unknown" | "unclear");
    let has_value = |field: Field| labels.values(field).iter().any(is_known);
    let mut missing = Vec::new();
    if context.colors.is_some() && labels.values(Field::Colors).is_empty() {
        missing.push(Field::Colors);
    }
    if !Field::describing().any(has_value) {
        missing.extend(Field::describing());
    }
    if !has_value(Field::ItemTypeGuess) {
        missing.push(Field::ItemTypeGuess);
    }
    missing
        .into_iter()
        .map(|field| field.key().to_owned())
        .collect()
}

/// Whether the label has three or more comma-separated parts, mostly of one or two words.
fn is_comma_list(label: &str, name: &str) -> bool {
    let mut label = clean_text(label);
    let name = clean_text(name);
    if name.contains([',', '·', '/', '|']) {
        label = label.replace(&name, "이름");
    }
    let parts: Vec<usize> = label
        .split([',', '，', '、', '·', '/', '|', ';'])
        .map(|part| part.split_whitespace().count())
        .filter(|words| *words > 0)
        .collect();
    let short = parts.iter().filter(|words| **words <= 2).count();
    parts.len() >= 3 && short * 3 >= parts.len() * 2
}

/// The words of all fields that are in the wrong writing system or language for their field.
fn foreign_words(labels: &Labels, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for &field in Field::ALL {
        let values = labels.values(field).iter();
        found.extend(values.flat_map(|text| foreign_in(field, text, name)));
    }
    found.extend(writing_system::all_foreign(labels.label_ko(), name));
    found
}

/// The words of a text that are in the wrong writing system or language for its field.
pub(super) fn foreign_in(field: Field, text: &str, name: &str) -> Vec<String> {
    match field.language() {
        Some(Language::Korean) => writing_system::foreign_in_korean(text, name),
        Some(Language::English) => writing_system::foreign_in_english(text, name),
        None => writing_system::foreign_in_words(text, name),
    }
}

/// Prior probability that a person who reviews a record with this reason changes its content.
/// Estimated by manual inspection of common reasons: nineteen of twenty records that claim a color
/// that is not there are wrong. Reasons about form (tags, attributes, the name) have almost no
/// weight, since such records are right about the icon and are completed in bulk.
pub(super) fn weight(reason: Reason) -> f32 {
    match reason {
        Reason::UnreadLine => 0.9,
        Reason::ColorMismatch => 0.8,
        Reason::MainColorMissing => 0.7,
        Reason::Truncated => 0.5,
        Reason::LowConfidence | Reason::AmbiguousIcon => 0.4,
        Reason::MixedScript
        | Reason::DuplicateLabel
        | Reason::NothingVisible
        | Reason::NameMismatch
        | Reason::NotFound
        | Reason::QualityRetryFailed
        | Reason::LowVisualSignal => 0.3,
        Reason::TooSmall => 0.2,
        Reason::LabelEqualsItemName | Reason::Repetition | Reason::LabelTooLong => 0.1,
        Reason::CommaList | Reason::ItemNameMissing => 0.05,
        Reason::AttributesMissing | Reason::FewTags | Reason::FewQueries => 0.03,
    }
}

/// Whether a reason says nothing about what the record claims of the icon.
pub(super) fn is_about_form(reason: Reason) -> bool {
    weight(reason) <= 0.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{labels, list};
    use crate::record::{Vocabulary, to_oklab};

    fn red_and_white() -> ColorHistogram {
        ColorHistogram {
            opaque: 300,
            bins: vec![
                (to_oklab([200, 30, 35]), 0.8),
                (to_oklab([250, 250, 250]), 0.2),
            ],
            ..ColorHistogram::default()
        }
    }

    fn context<'a>(
        vocabulary: &'a Vocabulary,
        item_name: &'a str,
        colors: &'a ColorHistogram,
    ) -> RecordContext<'a> {
        RecordContext {
            colors: Some(colors),
            ..RecordContext::new(vocabulary, item_name)
        }
    }

    /// The reasons for `labels` as the answer for a red icon of that name.
    fn reasons(labels: &Labels, name: &str) -> Vec<Reason> {
        let vocabulary = Vocabulary::builtin().unwrap();
        check(labels, &context(&vocabulary, name, &red_and_white()))
    }

    fn add(labels: &mut Labels, field: Field, value: &str) {
        let mut values = labels.values(field).to_vec();
        values.push(value.to_owned());
        labels.set(field, values);
    }

    #[test]
    fn a_valid_record_has_no_reason() {
        assert_eq!(reasons(&labels("눈꽃 모자"), "눈꽃 모자"), []);
    }

    #[test]
    fn each_problem_is_found() {
        type Spoil = fn(&mut Labels);
        let cases: [(Spoil, Reason); 12] = [
            (
                |l| l.set(Field::TagsKo, ["모자", "리본", "겨울", "눈꽃"]),
                Reason::FewTags,
            ),
            (
                |l| l.set(Field::QueryVariantsKo, ["빨간 모자", "리본 모자"]),
                Reason::FewQueries,
            ),
            (
                |l| l.set(Field::LabelKo, ["눈꽃 모자."]),
                Reason::LabelEqualsItemName,
            ),
            (
                |l| l.set(Field::LabelKo, ["붉은 리본 모자"]),
                Reason::ItemNameMissing,
            ),
            (
                |l| l.set(Field::Colors, list(&[])),
                Reason::AttributesMissing,
            ),
            (
                |l| l.set(Field::LabelKo, ["눈꽃 모자, 빨강, 리본, 천"]),
                Reason::CommaList,
            ),
            (|l| add(l, Field::TagsKo, "red색"), Reason::MixedScript),
            (|l| add(l, Field::Colors, "blue"), Reason::ColorMismatch),
            (
                |l| {
                    let parts = (10..26).map(|n| format!(" {n}번 단추"));
                    let buttons: String = parts.map(|part| part.replace(' ', "")).collect();
                    l.set(Field::LabelKo, [format!("{} {buttons}", l.label_ko())]);
                },
                Reason::LabelTooLong,
            ),
            (
                |l| {
                    l.set(Field::LabelKo, ["흰 리본이 달린 눈꽃 모자"]);
                    l.set(Field::TagsKo, ["모자", "흰색", "리본", "겨울", "눈꽃"]);
                    l.set(
                        Field::QueryVariantsKo,
                        ["흰 모자", "리본 장식", "겨울 방한"],
                    );
                    l.set(Field::Colors, ["white"]);
                },
                Reason::MainColorMissing,
            ),
            (
                |l| l.set(Field::LabelKo, ["눈꽃 모자 아이템"]),
                Reason::NothingVisible,
            ),
            (
                |l| l.set(Field::LabelKo, ["흰 리본과 리본이 달린 눈꽃 모자"]),
                Reason::Repetition,
            ),
        ];
        for (spoil, reason) in cases {
            let mut labels = labels("눈꽃 모자");
            spoil(&mut labels);
            assert_eq!(reasons(&labels, "눈꽃 모자"), [reason]);
        }
    }

    #[test]
    fn reasons_have_details() {
        let colors = red_and_white();
        let vocabulary = Vocabulary::builtin().unwrap();
        let name = "눈꽃 모자";
        let context = RecordContext {
            confidence: &[FieldConfidence {
                field: Field::Vibe,
                mean: 0.2,
                weakest: 0.1,
                weak_words: list(&[" cute"]),
            }],
            ..context(&vocabulary, name, &colors)
        };
        let spoiled = labels(name)
            .with(Field::LabelKo, ["블랙 띠와 ribbon, 블랙 끈이 달린 모자"])
            .with(Field::TagsKo, ["검은색", "모자"])
            .with(Field::Colors, ["black"])
            .with(Field::Theme, list(&[]))
            .with(Field::Material, ["布"])
            .with(Field::Vibe, list(&[]))
            .with(Field::ItemTypeGuess, ["unknown"])
            .with(
                Field::QueryVariantsKo,
                ["끈 모자", "끈 달린 모자", "모자 끈"],
            );
        let about = |reason: Reason, labels: &Labels| {
            let mut all = about_reasons(labels, &context).into_iter();
            let found = all.find(|(other, _)| *other == reason);
            found.map_or_else(Vec::new, |(_, about)| about)
        };
        for (reason, expected) in [
            (Reason::ItemNameMissing, &["눈꽃 모자"][..]),
            (Reason::AttributesMissing, &["item_type_guess"]),
            (Reason::MixedScript, &["ribbon", "布"]),
            (Reason::ColorMismatch, &["블랙", "검은색", "black"]),
            (Reason::MainColorMissing, &["red 80 %", "white 20 %"]),
            (Reason::Repetition, &["블랙", "끈 달린 모자", "모자 끈"]),
            (Reason::LowConfidence, &["vibe", "cute"]),
            (Reason::FewTags, &[]),
            (Reason::Truncated, &[]),
        ] {
            assert_eq!(about(reason, &spoiled), expected, "{reason:?}");
        }
        let context = RecordContext {
            confidence: &[],
            ..context
        };
        assert_eq!(about_reasons(&labels(name), &context), []);
    }

    #[test]
    fn an_unknown_item_type_counts_as_missing() {
        let mut labels = labels("눈꽃 모자");
        labels.set(Field::ItemTypeGuess, ["unknown"]);
        assert_eq!(reasons(&labels, "눈꽃 모자"), [Reason::AttributesMissing]);
    }

    #[test]
    fn a_sentence_with_commas_is_not_a_list() {
        let mut labels = labels("눈꽃 모자");
        labels.set(
            Field::LabelKo,
            ["붉은 천으로 만든, 흰 리본이 달린, 눈이 내린 듯한 눈꽃 모자"],
        );
        assert_eq!(reasons(&labels, "눈꽃 모자"), []);
        labels.set(Field::LabelKo, ["흰 리본이 달린 별, 달, 해 모자"]);
        assert_eq!(reasons(&labels, "별, 달, 해 모자"), []);
    }

    #[test]
    fn some_reasons_come_from_the_context() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let uncertain = FieldConfidence {
            field: Field::Colors,
            mean: 0.6,
            weakest: 0.01,
            weak_words: vec![],
        };
        let context = RecordContext {
            item_name: "다른 이름",
            with_metadata: false,
            confidence: std::slice::from_ref(&uncertain),
            truncated: true,
            is_duplicate: true,
            ..RecordContext::new(&vocabulary, "이름")
        };
        let mut labels = labels("눈꽃 모자");
        labels.set(Field::Colors, list(&[]));
        labels.model_reasons = vec![Reason::TooSmall];
        let expected = [
            Reason::TooSmall,
            Reason::DuplicateLabel,
            Reason::LowConfidence,
            Reason::Truncated,
        ];
        assert_eq!(check(&labels, &context), expected);
        let of_label = FieldConfidence {
            field: Field::LabelKo,
            mean: 0.9,
            ..uncertain
        };
        assert!(!is_low(&of_label));
    }
}
