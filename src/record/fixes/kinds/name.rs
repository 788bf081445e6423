//! Fixes for the item's name in the label.

use crate::record::fixes::text::{ItemKind, is_kind, item_kind, kind_at_end, kinds_of_part, stems};
use crate::record::{Field, Labels, RecordContext};
use crate::text::particles::{is_particle, with_particle};
use crate::text::{clean_text, is_word_char, split_word, words};
use strsim::normalized_levenshtein;
use unicode_normalization::UnicodeNormalization;

/// Minimum similarity of two spellings of one name.
const NEAR: f64 = 0.75;
/// Shorter names are too easily confused with other words.
const MIN_LETTERS: usize = 6;
/// Nouns that take `의` before what they describe.
const LOOKS: [&str; 6] = ["모양", "무늬", "패턴", "스타일", "디자인", "형태"];

/// Replaces the outdated name with the current one.
pub fn update(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    Some(context.names().updated(labels, context.vocabulary))
}

/// Corrects the words of the label that nearly match the name.
pub fn correct(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let name = context.item_name;
    let label = clean_text(labels.label_ko());
    if name.is_empty() || label.contains(name) {
        return None;
    }
    let wanted = letters(name);
    if wanted.chars().count() < MIN_LETTERS {
        return None;
    }
    let last = letters(last_word(name));
    let max = name.split_whitespace().count() + 2;
    let places: Vec<(usize, usize)> = word_places(&label);
    let mut best: Option<(f64, usize, usize)> = None;
    for (first, &(begin, _)) in places.iter().enumerate() {
        for &(_, end) in places[first..].iter().take(max) {
            for stem in stems(&label[begin..end]) {
                let found = letters(stem);
                if !may_be_near(found.chars().count(), wanted.chars().count()) {
                    continue;
                }
                if !ends_alike(stem, &last) && !ends_clause(&label[begin + stem.len()..]) {
                    continue;
                }
                let similarity = normalized_levenshtein(&found, &wanted);
                if similarity >= NEAR && best.is_none_or(|(other, ..)| similarity > other) {
                    best = Some((similarity, begin, begin + stem.len()));
                }
            }
        }
    }
    let (_, begin, end) = best?;
    let after = &label[end..];
    // The particle was chosen for the misspelled name.
    let (particle, rest) = split_word(after);
    let named = with_particle(name, particle);
    let label = format!("{}{named}{rest}", &label[..begin]);
    Some(labels.clone().with(Field::LabelKo, [label]))
}

/// Whether texts of these lengths can be near: each letter that only one has makes them differ.
fn may_be_near(a: usize, b: usize) -> bool {
    1.0 - a.abs_diff(b) as f64 / a.max(b) as f64 >= NEAR
}

/// Whether the last word of the text is similar to that of the name.
fn ends_alike(text: &str, last_of_name: &str) -> bool {
    normalized_levenshtein(&letters(last_word(text)), last_of_name) >= 0.5
}

/// Whether the rest of the text starts at the end of a clause.
fn ends_clause(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([',', '.', ':'])
}

/// Byte ranges of the words of a text, without the punctuation around them.
fn word_places(text: &str) -> Vec<(usize, usize)> {
    words(text)
        .map(|word| {
            let begin = word.as_ptr() as usize - text.as_ptr() as usize;
            (begin, begin + word.len())
        })
        .collect()
}

/// The letters of a text: Hangul syllables decomposed, without blanks and punctuation.
fn letters(text: &str) -> String {
    let text = text.nfd().filter(|c| is_word_char(*c));
    text.flat_map(char::to_lowercase).collect()
}

/// Inserts the name: in place of the item type at the end of the label, or before the type if the
/// name does not imply it. A label with a near miss of the name is left to [`correct`].
pub fn insert(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let name = context.item_name;
    let label = clean_text(labels.label_ko());
    let holds_name = label.contains(name) || correct(labels, context).is_some();
    if name.is_empty() || label.is_empty() || holds_name {
        return None;
    }
    let label = named(&label, context);
    Some(labels.clone().with(Field::LabelKo, [label]))
}

fn named(label: &str, context: &RecordContext) -> String {
    let name = context.item_name;
    let vocabulary = context.vocabulary;
    let body = label.trim_end_matches(['.', '!', '~', ' ']);
    if body.ends_with(['다', '요']) && body.contains(' ') {
        return format!("{} {label}", with_particle(name, "는"));
    }
    // Descriptions after commas stay there.
    let clauses: Vec<&str> = body.split(", ").collect();
    let ends_in_thing = |clause: &&str| {
        let last = last_word(clause);
        is_kind(last, vocabulary) || is_of_name(last, name)
    };
    let at = clauses.iter().position(ends_in_thing).unwrap_or(0);
    let mut made: Vec<String> = clauses.iter().map(ToString::to_string).collect();
    made[at] = named_clause(clauses[at], context);
    made.join(", ")
}

fn last_word(clause: &str) -> &str {
    clause.rsplit(' ').next().unwrap_or_default()
}

fn named_clause(clause: &str, context: &RecordContext) -> String {
    let name = context.item_name;
    let vocabulary = context.vocabulary;
    let mut words: Vec<&str> = clause.split(' ').collect();
    let kind = words
        .last()
        .copied()
        .filter(|word| is_kind(word, vocabulary));
    if kind.is_some() {
        words.pop();
    }
    if let (Some(kind), Some(last)) = (kind, words.last())
        && is_of_name(&format!("{last}{kind}"), name)
    {
        // `캠핑 가방` of a `캠핑가방`.
        words.pop();
    }
    let mut shares = kind.is_some();
    while let Some(last) = words.last()
        && is_of_name(last, name)
    {
        words.pop();
        shares = true;
    }
    if !shares && let Some(last) = words.last_mut() {
        // The last word is another thing, whose shape the item has.
        let look = LOOKS.iter().any(|look| last.ends_with(look));
        let ends = match look {
            true => "의",
            false
                if last.ends_with(['의', '는', '은', '한', '운', '인', '진', '난', '색', '빛']) =>
            {
                ""
            }
            false => " 모양의",
        };
        let phrase = words.join(" ");
        return format!("{phrase}{ends} {name}");
    }
    words.push(name);
    if let Some(kind) = kind
        && !says_kind(name, kind, context)
    {
        words.push(kind);
    }
    words.join(" ")
}

/// Whether the word, with or without its particle, is a word of the name.
pub(super) fn is_of_name(word: &str, name: &str) -> bool {
    let is_part = |stem: &str| {
        let mut parts = words(name).filter_map(|part| part.strip_prefix(stem));
        parts.any(|rest| rest.is_empty() || is_particle(rest))
    };
    stems(word).any(is_part)
}

/// Whether the name implies the item type.
fn says_kind(name: &str, kind: &str, context: &RecordContext) -> bool {
    let vocabulary = context.vocabulary;
    let last = name.rsplit(' ').next().unwrap_or_default();
    let bare = last.trim_end_matches(|c: char| !c.is_alphanumeric());
    if bare.ends_with(kind) || words(name).any(|word| word == kind) {
        return true;
    }
    let by_name = kind_at_end(last, vocabulary);
    let by_label = kind_at_end(kind, vocabulary);
    match (by_name, by_label, item_kind(context)) {
        (Some(name), Some(label), _) if name.word == label.word => true,
        // The label may name another type than the item has.
        (Some(name), _, Some(item)) => name.word == item.word,
        _ => false,
    }
}

/// Item types that cannot be a decoration of another item.
const WORN: [&str; 9] = [
    "hat",
    "top",
    "bottom",
    "overall",
    "underwear",
    "shoes",
    "socks",
    "gloves",
    "cloak",
];

/// Whether the label or a tag names another item type than the item's part does, so that its
/// author has probably misseen the icon. Words of the name and the part do not count.
pub fn has_suspect_kind(labels: &Labels, context: &RecordContext) -> bool {
    let kinds = kinds_of_part(context.part, context.vocabulary);
    let Some(own) = kinds.iter().find(|kind| !kind.is_wide()) else {
        return false;
    };
    let is_other = |kind: &ItemKind| {
        let is_given = kind.is_in_name(context.item_name)
            || kinds.iter().any(|given| given.korean == kind.korean);
        !kind.is_wide() && kind.word != own.word && !is_given
    };
    let label = clean_text(labels.label_ko());
    let of_label = words(&label).flat_map(stems);
    let mut of_label = of_label.filter_map(|word| kind_at_end(word, context.vocabulary));
    let is_worn = |kind: &ItemKind| WORN.contains(&kind.word.word.as_str());
    let mut tags = labels.values(Field::TagsKo).iter();
    of_label.next_back().is_some_and(|last| is_other(&last))
        || tags.any(|tag| {
            let kind = kind_at_end(tag, context.vocabulary).filter(|kind| kind.korean == *tag);
            kind.is_some_and(|kind| is_worn(own) && is_worn(&kind) && is_other(&kind))
        })
}
