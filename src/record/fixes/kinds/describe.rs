//! Writes a label from the colors of the pixels, the material and the name.

use crate::record::fixes::text::{
    ColorUse, Shape, TokenizedText, in_shape, is_answer, item_kind, kind_at_end, kind_of_label,
    known_words,
};
use crate::record::{Field, Labels, RecordContext, Word};
use crate::text::{particles::with_particle, words};

/// The minimum share of the pixels for naming a second color.
const SECOND: f32 = 0.2;

/// Writes "<colors> <material> <name>", plus the item type if the name does not imply it.
pub fn describe(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let name = context.item_name;
    if name.is_empty() {
        return None;
    }
    let colors = visible_colors(context);
    let mut words = Vec::new();
    words.extend(color_words(&colors));
    words.extend(material(labels, context));
    if words.is_empty() {
        return None;
    }
    words.extend(name_and_kind(None, context));
    let mut described = labels.clone().with(Field::LabelKo, [words.join(" ")]);
    if labels.values(Field::Colors).is_empty() {
        described.set(Field::Colors, colors.iter().map(|word| word.word.clone()));
    }
    Some(described)
}

/// The item's name, plus the item type if the name does not imply it. Without a type of the item,
/// that of the label counts.
pub fn name_and_kind(
    labels: Option<&Labels>,
    context: &RecordContext,
) -> impl Iterator<Item = String> + use<> {
    let name = context.item_name.to_owned();
    let last = name.rsplit(' ').next().unwrap_or_default();
    let of_label = || kind_of_label(labels?, context.vocabulary);
    let kind = match kind_at_end(last, context.vocabulary) {
        Some(_) => None,
        None => item_kind(context).or_else(of_label),
    };
    std::iter::once(name).chain(kind.map(|kind| kind.korean))
}

/// The main colors of the icon, unless the name contains a color.
fn visible_colors<'a>(context: &RecordContext<'a>) -> Vec<&'a Word> {
    let Some(colors) = context.colors else {
        return Vec::new();
    };
    // A color in the name is trusted.
    let vocabulary = context.vocabulary;
    if words(context.item_name).any(|word| ColorUse::of(word, "", vocabulary).is_some()) {
        return Vec::new();
    }
    let mut measured = colors.unclaimed(&[], vocabulary);
    measured.truncate(2);
    let main = measured.into_iter().enumerate();
    main.filter(|(at, (_, share))| *at == 0 || *share >= SECOND)
        .map(|(_, (word, _))| word)
        .collect()
}

pub fn color_words(colors: &[&Word]) -> Option<String> {
    match colors {
        [] => None,
        [color] => Some(in_shape(color, Shape::Adjective).to_owned()),
        [first, second, ..] => {
            let first = with_particle(in_shape(first, Shape::Shade), "과");
            Some(format!("{first} {}의", in_shape(second, Shape::Shade)))
        }
    }
}

/// A material that the record names.
fn material(labels: &Labels, context: &RecordContext) -> Option<String> {
    let vocabulary = context.vocabulary;
    let listed = labels.values(Field::Material).iter().cloned();
    let listed = listed.chain(known_words(labels, Field::Material, context));
    let mut korean = listed
        .filter(|word| is_answer(word))
        .filter_map(|word| Some(vocabulary.korean(Field::Material, &word)?.to_owned()));
    korean.find(|word| !context.item_name.contains(word.as_str()))
}

/// Adds the largest color that the label does not name, to tell it from an equal label.
pub fn tell_apart(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let vocabulary = context.vocabulary;
    let label = TokenizedText::new(labels.label_ko(), context.item_name, vocabulary);
    let colors = context.colors?.unclaimed(&[], vocabulary);
    let mut colors = colors.into_iter().map(|(word, _)| word);
    let color = colors.find(|word| !label.has_color(word))?;
    let label = label.with_color(color)?.text();
    let mut distinct = labels.clone().with(Field::LabelKo, [label]);
    let listed = labels.values(Field::Colors);
    if !listed.contains(&color.word) {
        let all = listed.iter().chain([&color.word]);
        distinct.set(Field::Colors, all.cloned());
    }
    Some(distinct)
}
