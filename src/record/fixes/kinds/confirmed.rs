//! Keeps of a record only what its item and its pixels confirm.

use super::describe::{color_words, name_and_kind};
use super::lists::{add_queries, add_tags};
use crate::record::fixes::text::{ColorUse, item_kind, kind_at_end};
use crate::record::rules::{ColorHistogram, describes_nothing_visible};
use crate::record::{Field, Labels, RecordContext, Word};
use crate::text::words;

/// Writes "<colors> <name>", plus the item type if the name does not imply it. The colors are those
/// of the label that are well visible, after the main color if they miss it, and without those of
/// the name. Drops tags, queries and colors that nothing confirms. `None` if the label names no
/// visible color.
pub fn keep_confirmed(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let icon = Confirmed {
        colors: context.colors?,
        context,
    };
    let (name, vocabulary) = (context.item_name, context.vocabulary);
    let mut colors = icon.named_in(labels.label_ko());
    colors.retain(|word| icon.is_visible(word));
    let too_little = |colors: &[&Word]| icon.colors.claims_too_little(colors, vocabulary);
    if !colors.is_empty() && too_little(&colors) {
        let main = icon.colors.unclaimed(&colors, vocabulary);
        colors.splice(0..0, main.first().map(|(word, _)| *word));
    }
    let in_name: Vec<&Word> = words(name)
        .filter_map(|word| Some(ColorUse::of(word, "", vocabulary)?.word))
        .collect();
    let mut described = colors.clone();
    described.retain(|word| !in_name.contains(word));
    if too_little(&colors) || described.is_empty() || name.is_empty() {
        return None;
    }
    let label = color_words(&described).into_iter();
    let label: Vec<String> = label.chain(name_and_kind(Some(labels), context)).collect();
    let mut kept = labels.clone().with(Field::LabelKo, [label.join(" ")]);
    for field in [Field::TagsKo, Field::QueryVariantsKo] {
        let values = labels.values(field).iter();
        kept.set(field, values.filter(|value| icon.explains(value)).cloned());
    }
    for value in labels.values(Field::Colors) {
        let listed = vocabulary.find_exact(Field::Colors, value);
        colors.extend(listed.filter(|word| icon.is_visible(word) && !colors.contains(word)));
    }
    kept.set(Field::Colors, colors.iter().map(|word| word.word.clone()));
    for add in [add_tags, add_queries] {
        kept = add(&kept, context).unwrap_or(kept);
    }
    Some(kept)
}

/// What the item and the pixels confirm.
struct Confirmed<'c, 'a> {
    colors: &'a ColorHistogram,
    context: &'c RecordContext<'a>,
}

impl<'a> Confirmed<'_, 'a> {
    /// Whether the pixels show enough of the color. Pixels cannot show that something is transparent.
    fn is_visible(&self, word: &Word) -> bool {
        let vocabulary = self.context.vocabulary;
        let is_shown = self.colors.contradicted(&[word], vocabulary).is_empty();
        is_shown && !word.anchors.is_empty() && !self.colors.has_little(word, vocabulary)
    }

    /// Whether a tag or query consists of words of the name, the item's type and visible colors.
    fn explains(&self, text: &str) -> bool {
        let RecordContext {
            item_name,
            vocabulary,
            ..
        } = *self.context;
        let own = item_kind(self.context).filter(|kind| !kind.is_wide());
        let is_other_kind = |word: &str| {
            let kind = kind_at_end(word, vocabulary).filter(|kind| !kind.is_in_name(item_name));
            let (Some(kind), Some(own)) = (kind, &own) else {
                return false;
            };
            !kind.is_wide() && kind.word != own.word
        };
        words(text).all(|word| {
            if is_other_kind(word) {
                return false;
            }
            let colors = self.named_in(word);
            match colors.is_empty() {
                true => describes_nothing_visible(word, item_name, vocabulary),
                false => colors.iter().all(|color| self.is_visible(color)),
            }
        })
    }

    /// The colors that a text names, without those of the item's name. Each once.
    fn named_in(&self, text: &str) -> Vec<&'a Word> {
        let text = Labels::default().with(Field::LabelKo, [text]);
        text.claimed_colors(self.context.item_name, self.context.vocabulary)
    }
}
