//! Makes the colors of a record those that the pixels show.

use crate::record::fixes::FixContext;
use crate::record::fixes::text::Phrase;
use crate::record::rules::{compound_color, distinct};
use crate::record::{Field, Labels, Word};
use crate::text::{clean_text, words};

/// The colors that a record claims.
struct Claims<'a> {
    /// Those that the pixels do not show, in the order of the record.
    wrong: Vec<&'a Word>,
    right: Vec<&'a Word>,
}

fn claims<'a>(labels: &Labels, context: &FixContext<'a>) -> Option<Claims<'a>> {
    let vocabulary = context.rules.vocabulary;
    let colors = context.rules.colors?;
    let mut claimed: Vec<&Word> = Vec::new();
    for claim in labels.color_claims(context.rules.item_name, vocabulary) {
        if !claimed.contains(&claim.word) {
            claimed.push(claim.word);
        }
    }
    let wrong = colors.contradicted(&claimed, vocabulary);
    claimed.retain(|word| !wrong.contains(word));
    Some(Claims {
        wrong,
        right: claimed,
    })
}

/// Each false color becomes the largest color of the icon that the record does not name yet; where
/// there is none left, it goes.
pub fn replace(labels: &Labels, context: &FixContext) -> Option<Labels> {
    let Claims { wrong, right } = claims(labels, context)?;
    let unclaimed = context
        .rules
        .colors?
        .unclaimed(&right, context.rules.vocabulary);
    let mut unclaimed = unclaimed.into_iter().map(|(word, _)| word);
    let plan: Vec<_> = wrong
        .into_iter()
        .map(|word| (word, unclaimed.next()))
        .collect();
    let replaces = plan.iter().any(|(_, to)| to.is_some());
    replaces.then(|| recolored(labels, &plan, context))?
}

/// False colors are left out.
pub fn remove(labels: &Labels, context: &FixContext) -> Option<Labels> {
    let wrong = claims(labels, context)?.wrong;
    let plan: Vec<_> = wrong.into_iter().map(|word| (word, None)).collect();
    (!plan.is_empty()).then(|| recolored(labels, &plan, context))?
}

/// Carries a plan out in every field. Entries of lists that cannot be set right go; a sentence
/// that cannot be is a reason to leave all as it is.
fn recolored(
    labels: &Labels,
    plan: &[(&Word, Option<&Word>)],
    context: &FixContext,
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
        let found = context.rules.vocabulary.find_exact(Field::Colors, value);
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
            context.rules.item_name,
        );
        fixed.set(Field::QueryVariantsKo, queries);
    }
    Some(fixed)
}

/// A text without a false color stays as it is, letter for letter.
fn recolored_text(
    text: &str,
    plan: &[(&Word, Option<&Word>)],
    context: &FixContext,
) -> Option<String> {
    let rules = &context.rules;
    let mut phrase = Phrase::new(text, rules.item_name, rules.vocabulary);
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

/// The color that most pixels of no claimed color have.
fn main_color<'a>(labels: &Labels, context: &FixContext<'a>) -> Option<&'a Word> {
    let vocabulary = context.rules.vocabulary;
    let claims = labels.color_claims(context.rules.item_name, vocabulary);
    let claimed: Vec<&Word> = claims.iter().map(|claim| claim.word).collect();
    let unclaimed = context.rules.colors?.unclaimed(&claimed, vocabulary);
    Some(unclaimed.first()?.0)
}

/// The main color is named in the label and in the list.
pub fn name_main(labels: &Labels, context: &FixContext) -> Option<Labels> {
    let color = main_color(labels, context)?;
    let rules = &context.rules;
    let label = Phrase::new(labels.label_ko(), rules.item_name, rules.vocabulary);
    let label = label.with_color(color)?.text();
    Some(list_main(labels, context)?.with(Field::LabelKo, [label]))
}

/// The main color is the first of the list.
pub fn list_main(labels: &Labels, context: &FixContext) -> Option<Labels> {
    let color = &main_color(labels, context)?.word;
    let others = labels.values(Field::Colors).iter();
    let colors = std::iter::once(color).chain(others.filter(|other| *other != color));
    Some(labels.clone().with(Field::Colors, colors.cloned()))
}

/// Whether what the record says of colors must be looked at, although no rule speaks against it.
///
/// The label, or a record whose label names no color, names next to nothing of the icon's colors:
/// whoever wrote that has not seen it. Or the label names a color of which there is hardly a pixel,
/// or holds a compound (`레드벨벳`) with a color that nobody would name first: some are right, many
/// are made up.
pub fn mistakes_colors(labels: &Labels, context: &FixContext) -> bool {
    let (rules, vocabulary) = (&context.rules, context.rules.vocabulary);
    let Some(colors) = rules.colors else {
        return false;
    };
    let name = clean_text(rules.item_name).to_lowercase();
    let label = clean_text(labels.label_ko()).to_lowercase();
    // Whatever the label says besides the name, also a color that the name has.
    let said = match name.is_empty() {
        true => label,
        false => label.replace(&name, " "),
    };
    let claimed = |labels: &Labels, name: &str| -> Vec<&Word> {
        let claims = labels.color_claims(name, vocabulary);
        claims.iter().map(|claim| claim.word).collect()
    };
    let by_label = Labels::default().with(Field::LabelKo, [said.as_str()]);
    let by_itself = claimed(&by_label, &name);
    let mut named = match by_itself.is_empty() {
        true => claimed(labels, &name),
        false => by_itself.clone(),
    };
    named.extend(claimed(&by_label, ""));
    let mut in_compounds = words(&said).filter_map(|word| compound_color(word, &name, vocabulary));
    colors.hardly_shows(&named, vocabulary)
        || by_itself
            .iter()
            .any(|word| colors.hardly_has(word, vocabulary))
        || in_compounds.any(|word| !colors.has_much(word, vocabulary))
}
