//! Joins a label that is a list of keywords into one sentence.

use crate::record::fixes::text::{ColorUse, Shape, in_shape, item_kind, kind_at_end};
use crate::record::{Field, Labels, RecordContext, Word};
use crate::text::{clean_text, particles::with_particle, words};

/// Endings of words that describe the next word.
const DESCRIBES: [&str; 8] = ["는", "은", "한", "운", "진", "난", "린", "의"];

/// Writes "<colors>의 <adjectives> <part> <name>" from the keywords, each of one or two words.
pub fn join(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let label = clean_text(labels.label_ko());
    let name = clean_text(context.item_name);
    if name.is_empty() {
        return None;
    }
    let (mut colors, mut describing, mut parts): (Vec<&Word>, Vec<&str>, Vec<&str>) =
        Default::default();
    let label = label.replace(&name, " ");
    for part in label.split([',', '/', '·', ':', ';', '|']) {
        let part = part.trim();
        let count = words(part).count();
        if count > 2 {
            return None;
        }
        if part.is_empty() || is_the_item(part, context) {
            continue;
        }
        match ColorUse::of(part, context.item_name, context.vocabulary) {
            Some(color) if !colors.contains(&color.word) => colors.push(color.word),
            Some(_) => {}
            None if DESCRIBES.iter().any(|end| part.ends_with(end)) => describing.push(part),
            None if !parts.contains(&part) => parts.push(part),
            None => {}
        }
    }
    let mut sentence: Vec<String> = Vec::new();
    sentence.extend(row(&colors));
    sentence.extend(describing.iter().map(ToString::to_string));
    match parts.as_slice() {
        [] => {}
        [part] => sentence.push((*part).to_owned()),
        // It is unclear which part belongs to which.
        _ => return None,
    }
    if sentence.is_empty() {
        return None;
    }
    sentence.push(context.item_name.to_owned());
    let last = name.rsplit(' ').next().unwrap_or_default();
    if kind_at_end(last, context.vocabulary).is_none() {
        sentence.extend(item_kind(context).map(|kind| kind.korean));
    }
    Some(labels.clone().with(Field::LabelKo, [sentence.join(" ")]))
}

/// Whether the part only names the item type.
fn is_the_item(part: &str, context: &RecordContext) -> bool {
    let kind = kind_at_end(part, context.vocabulary).filter(|kind| kind.korean == part);
    match (kind, item_kind(context)) {
        (Some(kind), Some(item)) => kind.is_wide() || kind.word == item.word,
        _ => false,
    }
}

/// `흰색과 파란색의`
fn row(colors: &[&Word]) -> Option<String> {
    let shade = |word| in_shape(word, Shape::Shade);
    match colors {
        [] => None,
        [color] => Some(in_shape(color, Shape::Adjective).to_owned()),
        [before @ .., last] => {
            let before = before.iter().map(|word| with_particle(shade(word), "과"));
            Some(format!(
                "{} {}의",
                before.collect::<Vec<_>>().join(" "),
                shade(last)
            ))
        }
    }
}
