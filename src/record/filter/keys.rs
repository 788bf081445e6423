//! The keys of the filter language: what may stand before a colon, and what each asks for.

use super::lexer::quoted;
use super::range::{Alone, Range};
use super::text::TextTest;
use crate::record::{Field, GroupState, GroupSummary, Kind, Reason, SourceType, Vocabulary};

/// What one term of a filter asks of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    State {
        any: Vec<GroupState>,
        /// Also match records with a new answer to compare.
        offered: bool,
    },
    Reason(Vec<Reason>),
    Source(SourceType),
    Name(TextTest),
    Part(TextTest),
    Note(TextTest),
    /// The recolor family of the image of this number.
    Family(i64),
    /// A value of a field.
    Value(Field, TextTest),
    Has(Thing),
    Uncertainty(Range),
    /// How many values a field has.
    Count(Field, Range),
    /// A word anywhere in name, label or tags; [`super::select`] finds it, perhaps inexactly.
    Word(String),
}

/// What a record may have or lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Field(Field),
    Part,
    Note,
    Family,
}

/// A key with a word or two about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterKey {
    pub name: &'static str,
    pub help: &'static str,
}

/// All keys, in the order in which they are offered.
pub fn filter_keys() -> impl Iterator<Item = FilterKey> {
    let key = |name, help| FilterKey { name, help };
    let before = [
        key("state", "draft, uncertain, accepted, ..."),
        key("reason", "why a record is uncertain"),
        key("name", "the item's name"),
    ];
    let fields = Field::shared().map(move |(_, filter)| key(filter.key, filter.help));
    let after = [
        key("part", "the item's part or slot"),
        key("note", "your note"),
        key("family", "the icons of one drawing, by number"),
        key("has", "something there: tags, note, ..."),
        key("none", "nothing there: colors, type, ..."),
    ];
    let counts = Field::ALL.iter().filter_map(move |field| {
        let help = "how many: 0, >5, <3, 2..4";
        Some(key(count_key(*field)?, help))
    });
    let last = [
        key("uncertainty", ">0.5, <0.2, 0.3..0.7"),
        key("source", "equipment_shape or cash"),
        key("view", "a filter that you saved"),
    ];
    before
        .into_iter()
        .chain(fields)
        .chain(after)
        .chain(counts)
        .chain(last)
}

/// The field that a key asks about.
pub fn filter_field(key: &str) -> Option<Field> {
    let found = Field::shared().find(|(_, filter)| filter.key == key);
    Some(found?.0)
}

/// What `has:` and `none:` can be asked.
pub fn things() -> impl Iterator<Item = &'static str> {
    let fields = Field::ALL.iter().map(|field| field.name());
    fields.chain(["part", "note", "family"])
}

/// Before the colon of a filter by the number of a list's values.
fn count_key(field: Field) -> Option<&'static str> {
    field.is_list().then(|| match field.spec().kind {
        Kind::Words(list) => list.name,
        _ => field.name(),
    })
}

fn thing(name: &str) -> Option<Thing> {
    match name {
        "part" => return Some(Thing::Part),
        "note" => return Some(Thing::Note),
        "family" => return Some(Thing::Family),
        _ => {}
    }
    let is_named = |field: &&Field| {
        let spec = field.spec();
        let names = [Some(spec.key), Some(spec.name), count_key(**field)];
        let filter = spec.filter.map(|filter| filter.key);
        names
            .into_iter()
            .chain([filter])
            .flatten()
            .any(|have| have == name)
    };
    Field::ALL.iter().find(is_named).copied().map(Thing::Field)
}

/// A term with a key; `value` is not empty.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn term(key: &str, value: &str, vocabulary: &Vocabulary) -> Result<Test, String> {
    let value = value.to_lowercase();
    Ok(match key {
        "state" => states(&value)?,
        "reason" => reasons(&value)?,
        "name" => Test::Name(TextTest::new(&value)),
        "part" => Test::Part(TextTest::new(&value)),
        "note" => Test::Note(TextTest::new(&value)),
        "family" => {
            let number = value.trim_start_matches('=').parse();
            Test::Family(number.map_err(|_| format!("`{value}` is no number of a family"))?)
        }
        "has" => Test::Has(known_thing(&value)?),
        "source" => {
            let found = [SourceType::EquipmentShape, SourceType::Cash]
                .into_iter()
                .find(|source| source.as_str().starts_with(&value));
            Test::Source(found.ok_or_else(|| format!("no source `{value}`"))?)
        }
        "uncertainty" => {
            let range = Range::parse(&value, Alone::AtLeast);
            Test::Uncertainty(
                range.ok_or_else(|| {
                    format!("`{value}` is no range of numbers: >0.5, <0.2, 0.3..0.7")
                })?,
            )
        }
        key => {
            if let Some(field) = filter_field(key) {
                return Ok(Test::Value(
                    field,
                    TextTest::word(&value, field, vocabulary),
                ));
            }
            let counted = Field::ALL
                .iter()
                .find(|field| count_key(**field) == Some(key));
            let Some(&field) = counted else {
                return Err(unknown_key(key));
            };
            let range = Range::parse(&value, Alone::Exactly);
            Test::Count(
                field,
                range.ok_or_else(|| format!("`{value}` is no number of {key}: 0, >5, <3, 2..4"))?,
            )
        }
    })
}

/// What is said of a key that there is not.
pub(super) fn unknown_key(key: &str) -> String {
    let names: Vec<&str> = filter_keys().map(|key| key.name).collect();
    format!(
        "no key `{key}`; quote a word that holds a colon, or use one of {}",
        names.join(", ")
    )
}

pub(super) fn known_thing(value: &str) -> Result<Thing, String> {
    thing(value).ok_or_else(|| {
        let names: Vec<&str> = things().collect();
        format!(
            "no field {}: use one of {}",
            quoted(value),
            names.join(", ")
        )
    })
}

fn states(value: &str) -> Result<Test, String> {
    let (mut any, mut offered) = (Vec::new(), false);
    for part in value.split(',').filter(|part| !part.is_empty()) {
        let before = any.len();
        let is_offered = "offered".starts_with(part);
        let is_needed = "review".starts_with(part) && part.len() > 1;
        offered |= is_offered || is_needed;
        any.extend(GroupState::ALL.iter().copied().filter(|state| {
            if is_needed {
                state.needs_review()
            } else {
                state.name().starts_with(part)
            }
        }));
        if any.len() == before && !is_offered {
            return Err(format!("no state `{part}`"));
        }
    }
    Ok(Test::State { any, offered })
}

fn reasons(value: &str) -> Result<Test, String> {
    let mut any = Vec::new();
    for part in value.split(',').filter(|part| !part.is_empty()) {
        let before = any.len();
        let all = Reason::ALL.iter().copied();
        any.extend(all.filter(|reason| reason.code().contains(part)));
        if any.len() == before {
            return Err(format!("no reason `{part}`"));
        }
    }
    Ok(Test::Reason(any))
}

/// Whether a record passes; words are [`super::select`]'s.
pub(super) fn passes(test: &Test, summary: &GroupSummary) -> bool {
    let holds = |text: &Option<String>, test: &TextTest| {
        text.as_ref().is_some_and(|text| test.passes(text))
    };
    let count = |field: Field| summary.labels.values(field).len();
    match test {
        Test::State { any, offered } => {
            any.contains(&summary.state) || (*offered && summary.offered)
        }
        Test::Reason(reasons) => summary.reasons.iter().any(|have| reasons.contains(have)),
        Test::Source(source) => summary.source_type == *source,
        Test::Name(text) => text.passes(&summary.name),
        Test::Part(text) => holds(&summary.part, text),
        Test::Note(text) => holds(&summary.note, text),
        Test::Family(number) => summary.family.is_some_and(|family| family.0 == *number),
        Test::Value(field, text) => {
            let mut values = summary.labels.values(*field).iter();
            values.any(|have| text.passes(have))
        }
        Test::Has(Thing::Field(field)) => count(*field) > 0,
        Test::Has(Thing::Part) => summary.part.is_some(),
        Test::Has(Thing::Note) => summary.note.is_some(),
        Test::Has(Thing::Family) => summary.family.is_some(),
        Test::Uncertainty(range) => range.contains(summary.uncertainty),
        // Where there is no draft, there is no list of anything.
        Test::Count(field, range) => {
            !summary.labels.label_ko().is_empty() && range.contains(count(*field) as f32)
        }
        Test::Word(_) => false,
    }
}
