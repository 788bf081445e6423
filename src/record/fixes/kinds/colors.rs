//! Makes the colors of a record match the pixels.

use crate::record::fixes::text::TokenizedText;
use crate::record::rules::distinct;
use crate::record::{Field, Labels, RecordContext, Word};
use crate::text::{clean_text, without};

/// The colors that a record claims.
struct Claims<'a> {
    /// Claimed colors that the pixels do not show, in record order.
    wrong: Vec<&'a Word>,
    right: Vec<&'a Word>,
}

fn claims<'a>(labels: &Labels, context: &RecordContext<'a>) -> Option<Claims<'a>> {
    let vocabulary = context.vocabulary;
    let colors = context.colors?;
    let mut claimed = labels.claimed_colors(context.item_name, vocabulary);
    let wrong = colors.contradicted(&claimed, vocabulary);
    claimed.retain(|word| !wrong.contains(word));
    Some(Claims {
        wrong,
        right: claimed,
    })
}

/// Replaces each wrong color with the icon's largest color that the record does not name yet, or
/// removes it if there is none.
pub fn replace(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let Claims { wrong, right } = claims(labels, context)?;
    let unclaimed = context.colors?.unclaimed(&right, context.vocabulary);
    let mut unclaimed = unclaimed.into_iter().map(|(word, _)| word);
    let plan: Vec<_> = wrong
        .into_iter()
        .map(|word| (word, unclaimed.next()))
        .collect();
    let replaces = plan.iter().any(|(_, to)| to.is_some());
    replaces.then(|| recolored(labels, &plan, context))?
}

/// Removes wrong colors.
pub fn remove(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let wrong = claims(labels, context)?.wrong;
    let plan: Vec<_> = wrong.into_iter().map(|word| (word, None)).collect();
    (!plan.is_empty()).then(|| recolored(labels, &plan, context))?
}

/// Applies a plan of replacements to every field. Values of lists that cannot be fixed are
/// dropped. Returns `None` if a sentence cannot be fixed.
fn recolored(
    labels: &Labels,
    plan: &[(&Word, Option<&Word>)],
    context: &RecordContext,
) -> Option<Labels> {
    let mut fixed = labels.clone();
    for field in Field::free_text() {
        let mut values: Vec<String> = Vec::new();
        for value in labels.values(field) {
            let value = match recolored_text(value, plan, context) {
                Some(text) => text,
                None if field.is_list() => continue,
                None => return None,
            };
            if !value.is_empty() && !values.contains(&value) {
                values.push(value);
            }
        }
        fixed.set(field, values);
    }
    let mut colors: Vec<String> = Vec::new();
    for value in labels.values(Field::Colors) {
        let found = context.vocabulary.find_exact(Field::Colors, value);
        let planned = plan.iter().find(|(from, _)| Some(*from) == found);
        let value = match planned {
            Some((_, Some(to))) => to.word.clone(),
            Some((_, None)) => continue,
            None => value.clone(),
        };
        if !colors.contains(&value) {
            colors.push(value);
        }
    }
    fixed.set(Field::Colors, colors);
    if fixed.values(Field::QueryVariantsKo) != labels.values(Field::QueryVariantsKo) {
        let queries = distinct(
            fixed.values(Field::QueryVariantsKo),
            fixed.label_ko(),
            context.item_name,
        );
        fixed.set(Field::QueryVariantsKo, queries);
    }
    Some(fixed)
}

/// Applies the plan to one text. A text without a wrong color is returned unchanged.
fn recolored_text(
    text: &str,
    plan: &[(&Word, Option<&Word>)],
    context: &RecordContext,
) -> Option<String> {
    let mut phrase = TokenizedText::new(text, context.item_name, context.vocabulary);
    let planned = plan.iter().filter(|(from, _)| phrase.has_color(from));
    let planned: Vec<_> = planned.collect();
    if planned.is_empty() {
        return Some(text.to_owned());
    }
    for (from, to) in planned {
        phrase = match to {
            Some(to) => phrase.replace_color(from, to)?,
            None => phrase.remove_color(from)?,
        };
    }
    Some(phrase.text())
}

/// The most common color among the pixels that no mentioned color covers.
fn main_color<'a>(labels: &Labels, context: &RecordContext<'a>) -> Option<&'a Word> {
    let vocabulary = context.vocabulary;
    let mentioned = labels.mentioned_colors(vocabulary);
    let unclaimed = context.colors?.unclaimed(&mentioned, vocabulary);
    Some(unclaimed.first()?.0)
}

/// Adds the main color to the label and to the list.
pub fn name_main(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let color = main_color(labels, context)?;
    let label = TokenizedText::new(labels.label_ko(), context.item_name, context.vocabulary);
    let label = label.with_color(color)?.text();
    Some(list_main(labels, context)?.with(Field::LabelKo, [label]))
}

/// Puts the main color first in the list.
pub fn list_main(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let color = &main_color(labels, context)?.word;
    let others = labels.values(Field::Colors).iter();
    let colors = std::iter::once(color).chain(others.filter(|other| *other != color));
    Some(labels.clone().with(Field::Colors, colors.cloned()))
}

/// Whether a person should check the record's colors although the rules find no reason.
///
/// That is so if the claimed colors cover hardly any of the icon, which suggests that the author
/// has not seen it. It is also so if the label names a color with hardly any pixels: some of these
/// are right, many are made up. The claims are those of the label, or of the entire record if the
/// label names no color.
pub fn has_suspect_colors(labels: &Labels, context: &RecordContext) -> bool {
    let vocabulary = context.vocabulary;
    let Some(colors) = context.colors else {
        return false;
    };
    let name = clean_text(context.item_name).to_lowercase();
    let label = clean_text(labels.label_ko()).to_lowercase();
    // The label without the name; it may repeat a color of the name.
    let described = without(&label, &name);
    let by_label = Labels::default().with(Field::LabelKo, [described.as_str()]);
    let by_itself = by_label.claimed_colors(&name, vocabulary);
    let mut named = match by_itself.is_empty() {
        true => labels.claimed_colors(&name, vocabulary),
        false => by_itself.clone(),
    };
    named.extend(by_label.mentioned_colors(vocabulary));
    colors.claims_too_little(&named, vocabulary)
        || by_itself
            .iter()
            .any(|word| colors.has_little(word, vocabulary))
}
