//! Fills empty attributes from the pixels, the item's part and the words of the record.

use crate::record::fixes::FixContext;
use crate::record::fixes::text::{is_answer, item_kind, kind_of_label, known_words};
use crate::record::{Field, Labels};

/// The most colors that are listed.
const MOST_COLORS: usize = 3;
/// The most words that a list is given from the label and the tags.
const MOST_WORDS: usize = 3;

/// The fields one of which says what kind of thing it is about.
const DESCRIBING: [Field; 3] = [Field::Theme, Field::Material, Field::Vibe];

/// The colors of the pixels, where the record lists none.
pub fn set_colors(labels: &Labels, context: &FixContext) -> Option<Labels> {
    if says(labels, Field::Colors) {
        return None;
    }
    let colors = context.rules.colors?;
    let measured = colors.unclaimed(&[], context.rules.vocabulary).into_iter();
    let measured = measured
        .take(MOST_COLORS)
        .map(|(word, _)| word.word.clone());
    Some(labels.clone().with(Field::Colors, measured))
}

/// The type that the item's part or name says, else the label, where the record has none.
pub fn set_type(labels: &Labels, context: &FixContext) -> Option<Labels> {
    if says(labels, Field::ItemTypeGuess) {
        return None;
    }
    let kind = item_kind(context).or_else(|| kind_of_label(labels, context.rules.vocabulary))?;
    Some(labels.clone().with(Field::ItemTypeGuess, [&kind.word.word]))
}

/// All that is missing.
pub fn fill(labels: &Labels, context: &FixContext) -> Option<Labels> {
    let mut filled = labels.clone();
    for part in [set_type, set_colors] {
        filled = part(&filled, context).unwrap_or(filled);
    }
    if DESCRIBING.iter().any(|field| says(labels, *field)) {
        return Some(filled);
    }
    for field in DESCRIBING {
        let known = known_words(labels, field, context);
        filled.set(field, known.into_iter().take(MOST_WORDS));
    }
    Some(filled)
}

fn says(labels: &Labels, field: Field) -> bool {
    labels.values(field).iter().any(|word| is_answer(word))
}
