//! Adds tags and queries that follow from the attributes, and removes repetitions.

use super::name::is_of_name;
use crate::record::fixes::text::{
    ItemKind, Shape, TokenizedText, in_shape, is_answer, is_kind, item_kind, kind_of_label, stems,
};
use crate::record::normalize::unique;
use crate::record::rules::{MIN_QUERIES, MIN_TAGS, distinct};
use crate::record::{Field, Labels, RecordContext, Word};
use crate::text::{clean_text, words};
use std::collections::HashSet;

/// Adds tags from the item type, the attributes and other answers until there are enough.
pub fn add_tags(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let mut tags = unique(labels.values(Field::TagsKo).iter().cloned());
    if tags.len() >= MIN_TAGS {
        return None;
    }
    for tag in possible_tags(labels, context) {
        let is_new = |other: &String| !other.eq_ignore_ascii_case(&tag);
        if tags.iter().all(is_new) {
            tags.push(tag);
        }
        if tags.len() == MIN_TAGS {
            break;
        }
    }
    Some(labels.clone().with(Field::TagsKo, tags))
}

fn possible_tags(labels: &Labels, context: &RecordContext) -> Vec<String> {
    let vocabulary = context.vocabulary;
    let korean = |field: Field| {
        let values = labels.values(field).iter().filter(|word| is_answer(word));
        let korean = values.filter_map(move |word| vocabulary.korean(field, word));
        korean.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut tags = Vec::new();
    tags.extend(item_kind(context).map(|kind| kind.korean));
    tags.extend(shown_colors(labels, context).map(|word| in_shape(word, Shape::Shade).to_owned()));
    tags.extend(korean(Field::ItemTypeGuess));
    // The name is reliable; the model's material often is not.
    let name = clean_text(context.item_name);
    tags.extend(standalone_words(&name).map(str::to_owned));
    for field in Field::describing() {
        tags.extend(korean(field));
    }
    for other in context.others {
        tags.extend(colorless_tags(other, context).cloned());
    }
    tags
}

/// The tags that claim no color.
fn colorless_tags<'a>(
    labels: &'a Labels,
    context: &RecordContext<'a>,
) -> impl Iterator<Item = &'a String> + use<'a> {
    let (name, vocabulary) = (context.item_name, context.vocabulary);
    let is_colorless = move |tag: &&String| {
        let tag = Labels::default().with(Field::TagsKo, [tag.as_str()]);
        tag.color_claims(name, vocabulary).is_empty()
    };
    labels.values(Field::TagsKo).iter().filter(is_colorless)
}

/// The record's colors that the pixels do not contradict.
fn shown_colors<'a>(
    labels: &'a Labels,
    context: &RecordContext<'a>,
) -> impl Iterator<Item = &'a Word> + use<'a> {
    let vocabulary = context.vocabulary;
    let listed = labels.values(Field::Colors).iter();
    let listed: Vec<&Word> = listed
        .filter_map(|word| vocabulary.find_exact(Field::Colors, word))
        .collect();
    let wrong = match context.colors {
        Some(colors) => colors.contradicted(&listed, vocabulary),
        None => Vec::new(),
    };
    listed.into_iter().filter(move |word| !wrong.contains(word))
}

/// Adds queries for the item type by color, material, theme and vibe until there are enough.
pub fn add_queries(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let mut queries = labels.values(Field::QueryVariantsKo).to_vec();
    let kind = kind_of(labels, context)?;
    for query in possible_queries(&kind, labels, context) {
        if queries.len() >= MIN_QUERIES {
            break;
        }
        let mut more = queries.clone();
        more.push(query);
        let kept = distinct(&more, labels.label_ko(), context.item_name);
        if kept.len() == more.len() {
            queries = more;
        }
    }
    Some(labels.clone().with(Field::QueryVariantsKo, queries))
}

/// The Korean name of the item type.
fn kind_of(labels: &Labels, context: &RecordContext) -> Option<String> {
    let vocabulary = context.vocabulary;
    let by_item = item_kind(context).map(|kind: ItemKind| kind.korean);
    let by_type = || {
        let listed = labels.text(Field::ItemTypeGuess)?;
        let korean = vocabulary.korean(Field::ItemTypeGuess, listed)?;
        is_answer(listed).then(|| korean.to_owned())
    };
    let by_label = || kind_of_label(labels, vocabulary).map(|kind| kind.korean);
    by_item.or_else(by_type).or_else(by_label)
}

fn possible_queries(kind: &str, labels: &Labels, context: &RecordContext) -> Vec<String> {
    let vocabulary = context.vocabulary;
    let colors = shown_colors(labels, context);
    let mut before: Vec<String> = colors
        .map(|word| in_shape(word, Shape::Adjective).to_owned())
        .collect();
    // The name is reliable; the model's material often is not.
    let name = clean_text(context.item_name);
    let of_name = standalone_words(&name).filter(|word| !word.ends_with(kind));
    before.extend(of_name.map(str::to_owned));
    for field in Field::describing() {
        let listed = labels.values(field).iter().filter(|word| is_answer(word));
        let korean = listed.filter_map(|word| vocabulary.korean(field, word));
        before.extend(korean.map(str::to_owned));
    }
    let tags = colorless_tags(labels, context);
    before.extend(tags.filter(|tag| !tag.contains(kind)).cloned());
    before.iter().map(|word| format!("{word} {kind}")).collect()
}

/// Endings by which a word depends on the next one, as in `마력이 깃든 안대`. Some nouns end like this too,
/// but a name has other words.
const DEPENDENT: [char; 18] = [
    '은', '는', '을', '를', '이', '가', '과', '와', '에', '로', '한', '된', '인', '운', '던', '린',
    '진', '든',
];

/// The words of a name that are keywords on their own: `지식` of `지식의 서`.
fn standalone_words(name: &str) -> impl Iterator<Item = &str> {
    let is_long = |word: &&str| word.chars().count() > 1;
    let last = words(name).last();
    let standalone = words(name).filter_map(move |word| match word.strip_suffix('의') {
        _ if Some(word) == last => Some(word),
        Some(owner) => Some(owner),
        None => (!word.ends_with(DEPENDENT)).then_some(word),
    });
    standalone.filter(is_long)
}

/// Removes repeated words, clauses and colors from the label and redundant queries, and adds
/// other queries if there would be too few.
pub fn drop_repetition(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let RecordContext {
        item_name: name,
        vocabulary,
        ..
    } = *context;
    let mut fixed = labels.clone().without_repetition(name);
    let label = without_redundant_clauses(fixed.label_ko(), name);
    let label = one_clause(&label, context).unwrap_or(label);
    let label = TokenizedText::new(&label, name, vocabulary).without_repeated_colors();
    fixed.set(Field::LabelKo, [label.text()]);
    let fixed = fixed.without_repetition(name);
    let too_few = |labels: &Labels| labels.values(Field::QueryVariantsKo).len() < MIN_QUERIES;
    match too_few(&fixed) && !too_few(labels) {
        true => add_queries(&fixed, context).filter(|filled| !too_few(filled)),
        false => Some(fixed),
    }
}

/// Joins `<name> <type>, <description> <type>` into `<description> <name> <type>`.
fn one_clause(label: &str, context: &RecordContext) -> Option<String> {
    let name = clean_text(context.item_name);
    let (first, rest) = label.split_once([',', ':'])?;
    let (second, rest) = match rest.split_once(", ") {
        Some((second, rest)) => (second, format!(", {rest}")),
        None => (rest, String::new()),
    };
    let (first, second) = (first.trim(), second.trim());
    let (named, description) = match (first.contains(&name), second.contains(&name)) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        _ => return None,
    };
    let kind = description
        .rsplit(' ')
        .next()
        .filter(|kind| is_kind(kind, context.vocabulary))?;
    let is_bare = match named.strip_prefix(&name)?.trim() {
        "" => name.ends_with(kind),
        after => after == kind,
    };
    let mut description: Vec<&str> = description.strip_suffix(kind)?.split_whitespace().collect();
    while description
        .last()
        .is_some_and(|last| is_of_name(last, &name))
    {
        description.pop();
    }
    (is_bare && !description.is_empty()).then(|| format!("{} {named}{rest}", description.join(" ")))
}

/// Removes clauses whose words all occurred before.
fn without_redundant_clauses(label: &str, name: &str) -> String {
    let label = clean_text(label);
    let mut seen: HashSet<String> = HashSet::new();
    let mut kept: Vec<&str> = Vec::new();
    for part in label.split(", ") {
        let stem = |word: &str| stems(word).last().unwrap_or(word).to_owned();
        let own: Vec<String> = words(part).map(stem).collect();
        let says_new = own.iter().any(|word| !seen.contains(word));
        if says_new || (part.contains(name) && !kept.iter().any(|part| part.contains(name))) {
            kept.push(part);
        }
        seen.extend(own);
    }
    kept.join(", ")
}
