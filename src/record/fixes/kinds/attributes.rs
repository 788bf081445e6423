//! Fills empty attributes from the pixels, the item's part and the record's own words.

use crate::record::fixes::text::{is_answer, item_kind, kind_of_label, known_words};
use crate::record::{Field, Labels, RecordContext};

/// The maximum number of colors listed.
const MAX_COLORS: usize = 3;
/// The maximum number of words taken from the label and the tags.
const MAX_WORDS: usize = 3;

/// Sets the colors of the pixels if the record lists none.
pub fn set_colors(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    if says(labels, Field::Colors) {
        return None;
    }
    let colors = context.colors?;
    let measured = colors.unclaimed(&[], context.vocabulary).into_iter();
    let measured = measured.take(MAX_COLORS).map(|(word, _)| word.word.clone());
    Some(labels.clone().with(Field::Colors, measured))
}

/// Sets the type from the item's part or name, or from the label, if the record has none.
pub fn set_type(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    if says(labels, Field::ItemTypeGuess) {
        return None;
    }
    let kind = item_kind(context).or_else(|| kind_of_label(labels, context.vocabulary))?;
    Some(labels.clone().with(Field::ItemTypeGuess, [&kind.word.word]))
}

/// Fills all missing attributes.
pub fn fill(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let mut filled = labels.clone();
    for part in [set_type, set_colors] {
        filled = part(&filled, context).unwrap_or(filled);
    }
    if Field::describing().any(|field| says(labels, field)) {
        return Some(filled);
    }
    for field in Field::describing() {
        let known = known_words(labels, field, context);
        filled.set(field, known.into_iter().take(MAX_WORDS));
    }
    Some(filled)
}

fn says(labels: &Labels, field: Field) -> bool {
    labels.values(field).iter().any(|word| is_answer(word))
}
