//! Adds tags and queries that follow from the attributes, and leaves repetitions out.

use crate::record::fixes::FixContext;
use crate::record::fixes::text::{ItemKind, Shape, in_shape, is_answer, item_kind, stems};
use crate::record::rules::{LEAST_QUERIES, LEAST_TAGS, distinct};
use crate::record::{Field, Labels, Word};
use crate::text::{clean_text, words};
use std::collections::HashSet;

/// Tags from the kind of thing, the attributes and other answers, until there are enough.
pub fn add_tags(labels: &Labels, context: &FixContext) -> Option<Labels> {
    let mut tags = labels.values(Field::TagsKo).to_vec();
    if tags.len() >= LEAST_TAGS {
        return None;
    }
    for tag in possible_tags(labels, context) {
        let is_new = |other: &String| !other.eq_ignore_ascii_case(&tag);
        if tags.iter().all(is_new) {
            tags.push(tag);
        }
        if tags.len() == LEAST_TAGS {
            break;
        }
    }
    Some(labels.clone().with(Field::TagsKo, tags))
}

fn possible_tags(labels: &Labels, context: &FixContext) -> Vec<String> {
    let vocabulary = context.rules.vocabulary;
    let korean = |field: Field| {
        let values = labels.values(field).iter().filter(|word| is_answer(word));
        let korean = values.filter_map(move |word| vocabulary.korean(field, word));
        korean.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut tags = Vec::new();
    tags.extend(item_kind(context).map(|kind| kind.korean));
    tags.extend(shown_colors(labels, context).map(|word| in_shape(word, Shape::Shade).to_owned()));
    tags.extend(korean(Field::ItemTypeGuess));
    // The name is true of the item; what a model says of its material is not always.
    let name = clean_text(context.rules.item_name);
    let long = words(&name).filter(|word| word.chars().count() > 1);
    tags.extend(long.map(str::to_owned));
    for field in [Field::Theme, Field::Vibe, Field::Material] {
        tags.extend(korean(field));
    }
    for other in context.others {
        let colorless = other.values(Field::TagsKo).iter().filter(|tag| {
            let claims = Labels::default().with(Field::TagsKo, [tag.as_str()]);
            let claims = claims.color_claims(context.rules.item_name, vocabulary);
            claims.is_empty()
        });
        tags.extend(colorless.cloned());
    }
    tags
}

/// The record's colors that the pixels do not speak against.
fn shown_colors<'a>(
    labels: &'a Labels,
    context: &FixContext<'a>,
) -> impl Iterator<Item = &'a Word> + use<'a> {
    let vocabulary = context.rules.vocabulary;
    let listed = labels.values(Field::Colors).iter();
    let listed: Vec<&Word> = listed
        .filter_map(|word| vocabulary.find_exact(Field::Colors, word))
        .collect();
    let wrong = match context.rules.colors {
        Some(colors) => colors.contradicted(&listed, vocabulary),
        None => Vec::new(),
    };
    listed.into_iter().filter(move |word| !wrong.contains(word))
}

/// Searches for the kind of thing by color, material, theme and vibe, until there are enough.
pub fn add_queries(labels: &Labels, context: &FixContext) -> Option<Labels> {
    let mut queries = labels.values(Field::QueryVariantsKo).to_vec();
    let kind = kind_of(labels, context)?;
    for query in possible_queries(&kind, labels, context) {
        if queries.len() >= LEAST_QUERIES {
            break;
        }
        let mut more = queries.clone();
        more.push(query);
        let kept = distinct(&more, labels.label_ko(), context.rules.item_name);
        if kept.len() == more.len() {
            queries = more;
        }
    }
    Some(labels.clone().with(Field::QueryVariantsKo, queries))
}

/// What people call the thing.
fn kind_of(labels: &Labels, context: &FixContext) -> Option<String> {
    let vocabulary = context.rules.vocabulary;
    let by_item = item_kind(context).map(|kind: ItemKind| kind.korean);
    by_item.or_else(|| {
        let held = labels.text(Field::ItemTypeGuess)?;
        let korean = vocabulary.korean(Field::ItemTypeGuess, held)?;
        is_answer(held).then(|| korean.to_owned())
    })
}

fn possible_queries(kind: &str, labels: &Labels, context: &FixContext) -> Vec<String> {
    let vocabulary = context.rules.vocabulary;
    let colors = shown_colors(labels, context);
    let mut before: Vec<String> = colors
        .map(|word| in_shape(word, Shape::Adjective).to_owned())
        .collect();
    for field in [Field::Material, Field::Theme, Field::Vibe] {
        let held = labels.values(field).iter().filter(|word| is_answer(word));
        let korean = held.filter_map(|word| vocabulary.korean(field, word));
        before.extend(korean.map(str::to_owned));
    }
    let name = clean_text(context.rules.item_name);
    let of_name = words(&name).filter(|word| word.chars().count() > 1 && !word.ends_with(kind));
    before.extend(of_name.map(str::to_owned));
    before.iter().map(|word| format!("{word} {kind}")).collect()
}

/// Without runs that stand twice, parts of the label that say nothing new, and queries that say
/// what others say.
pub fn drop_repetition(labels: &Labels, context: &FixContext) -> Option<Labels> {
    let name = context.rules.item_name;
    let mut fixed = labels.clone().without_repetition(name);
    let label = without_said(fixed.label_ko(), name);
    fixed.set(Field::LabelKo, [label]);
    Some(fixed.without_repetition(name))
}

/// Parts between commas whose words have all been said before go.
fn without_said(label: &str, name: &str) -> String {
    let label = clean_text(label);
    let mut said: HashSet<String> = HashSet::new();
    let mut kept: Vec<&str> = Vec::new();
    for part in label.split(", ") {
        let stem = |word: &str| stems(word).last().unwrap_or(word).to_owned();
        let own: Vec<String> = words(part).map(stem).collect();
        let says_new = own.iter().any(|word| !said.contains(word));
        if says_new || (part.contains(name) && !kept.iter().any(|part| part.contains(name))) {
            kept.push(part);
        }
        said.extend(own);
    }
    kept.join(", ")
}
