//! Finds item types and vocabulary words in a text.

use crate::record::{Field, Labels, RecordContext, Vocabulary, Word};
use crate::text::{clean_text, particles, without, words};

/// Types that carry no information.
pub const NO_TYPES: [&str; 2] = ["other", "unknown"];
/// General types that have more specific ones.
const WIDE_TYPES: [&str; 4] = ["weapon", "secondary weapon", "accessory", "pocket item"];
/// Words at the end of a label that readers take as an item type although the vocabulary does not.
const KINDS: [&str; 9] = [
    "옷",
    "의상",
    "아이템",
    "장비",
    "장식",
    "장식품",
    "소품",
    "무기",
    "장신구",
];
/// The type of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemKind<'a> {
    pub word: &'a Word,
    /// The Korean word in the item's part or name.
    pub korean: String,
}

impl ItemKind<'_> {
    /// Whether the item's name contains it. A single syllable must end a word: `선검`, not `유혼`.
    pub fn is_in_name(&self, item_name: &str) -> bool {
        match self.korean.chars().count() {
            1 => words(item_name).any(|word| word.ends_with(&self.korean)),
            _ => item_name.contains(&self.korean),
        }
    }

    /// Whether it includes more specific types.
    pub fn is_wide(&self) -> bool {
        WIDE_TYPES.contains(&self.word.word.as_str())
    }
}

/// The item's type by its part or, if that is general, by the last word of its name.
pub fn item_kind<'a>(context: &RecordContext<'a>) -> Option<ItemKind<'a>> {
    kind_of(context.part, context.item_name, context.vocabulary)
}

/// The type of an item with this part and name; see [`item_kind`].
pub fn kind_of<'a>(
    part: Option<&str>,
    item_name: &str,
    vocabulary: &'a Vocabulary,
) -> Option<ItemKind<'a>> {
    let by_part = kinds_of_part(part, vocabulary);
    let special = by_part.iter().find(|kind| !kind.is_wide());
    if let Some(special) = special {
        return Some(special.clone());
    }
    let name = clean_text(item_name);
    let by_name = name.split(' ').next_back();
    let by_name = by_name.and_then(|word| kind_at_end(word, vocabulary));
    by_name.or_else(|| by_part.into_iter().next())
}

/// The item types that `part/slot` names.
pub fn kinds_of_part<'a>(part: Option<&str>, vocabulary: &'a Vocabulary) -> Vec<ItemKind<'a>> {
    let parts = part.into_iter().flat_map(|part| part.split('/'));
    parts
        .map(|part| part.trim().trim_end_matches(|c: char| c.is_ascii_digit()))
        .filter_map(|part| {
            let word = vocabulary.find_exact(Field::ItemTypeGuess, part)?;
            let korean = part.to_owned();
            Some(ItemKind { word, korean })
        })
        .filter(|kind| !NO_TYPES.contains(&kind.word.word.as_str()))
        .collect()
}

/// The item type at the end of a word: `털모자` is a hat.
pub fn kind_at_end<'v>(word: &str, vocabulary: &'v Vocabulary) -> Option<ItemKind<'v>> {
    let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    let max = vocabulary.max_letters(Field::ItemTypeGuess);
    let places: Vec<usize> = word
        .char_indices()
        .rev()
        .take(max)
        .map(|(at, _)| at)
        .collect();
    let ends = places.into_iter().rev().map(|at| &word[at..]);
    // A single syllable counts only as an entire word: `검`, but not `선검`.
    ends.filter(|end| *end == word || end.chars().count() > 1)
        .find_map(|end| {
            let found = vocabulary.find_exact(Field::ItemTypeGuess, end)?;
            let korean = end.to_owned();
            Some(ItemKind {
                word: found,
                korean,
            })
        })
}

/// The item type at the end of the label.
pub fn kind_of_label<'v>(labels: &Labels, vocabulary: &'v Vocabulary) -> Option<ItemKind<'v>> {
    kind_at_end(labels.label_ko().rsplit(' ').next()?, vocabulary)
}

/// Whether a word ends in an item type.
pub fn is_kind(word: &str, vocabulary: &Vocabulary) -> bool {
    let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    KINDS.contains(&bare) || kind_at_end(bare, vocabulary).is_some()
}

/// The word, and the word without its particle.
pub fn stems(word: &str) -> impl DoubleEndedIterator<Item = &str> {
    let stem = particles::stem(word);
    std::iter::once(word).chain((stem != word).then_some(stem))
}

/// Vocabulary words of a field that occur in the label and the tags. As materials, words of the
/// item's name do not count, since a name need not describe the material, nor do words that are
/// also colors.
pub fn known_words(labels: &Labels, field: Field, context: &RecordContext) -> Vec<String> {
    let vocabulary = context.vocabulary;
    let name = clean_text(context.item_name);
    let mut found: Vec<String> = Vec::new();
    for text in [Field::LabelKo, Field::TagsKo]
        .into_iter()
        .flat_map(|field| labels.values(field))
    {
        let text = match field {
            Field::Material => without(&clean_text(text), &name),
            _ => clean_text(text),
        };
        let whole = vocabulary
            .find_exact(field, &text)
            .filter(|_| !is_short(&text));
        let parts = words(&text).flat_map(stems).filter(|word| !is_short(word));
        let parts = parts.filter_map(|word| vocabulary.find_exact(field, word));
        for word in whole.into_iter().chain(parts) {
            let is_color = field == Field::Material
                && vocabulary.find_exact(Field::Colors, &word.word).is_some();
            if !is_color && is_answer(&word.word) && !found.contains(&word.word) {
                found.push(word.word.clone());
            }
        }
    }
    found
}

/// Whether the word is a single syllable, which is too ambiguous: `눈` is an eye and snow.
fn is_short(word: &str) -> bool {
    word.chars().count() < 2
}

/// Whether the word is informative.
pub fn is_answer(word: &str) -> bool {
    !matches!(word, "unknown" | "unclear" | "other")
}
