//! The filter keys, which go before a colon, and their tests.

use super::lexer::quoted;
use super::range::{BareNumber, Range};
use super::text::TextTest;
use crate::record::{
    Field, GroupState, GroupSummary, Kind, Reason, SourceType, VERDICTS, Verdict, Vocabulary,
};
use crate::text::said;
use crate::text::{Phrase, Said};

/// The test that a filter term applies to a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    State {
        any: Vec<GroupState>,
        /// Whether to also match records with an offered answer.
        offered: bool,
    },
    Reason(Vec<Reason>),
    Source(SourceType),
    Name(TextTest),
    Part(TextTest),
    Note(TextTest),
    /// The recolor family with this id.
    Family(i64),
    /// A value of a field.
    Value(Field, TextTest),
    Has(HasTarget),
    Uncertainty(Range),
    /// How generic the label is compared with all others; [`super::select`] computes it.
    Generic(Range),
    /// The names of audit verdicts on the committed text.
    Judged(Vec<&'static str>),
    /// The number of values of a field.
    Count(Field, Range),
    /// A word in name, label or tags; [`super::select`] matches it, possibly fuzzily.
    Word(String),
}

/// What `has:` and `none:` can test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HasTarget {
    Field(Field),
    Part,
    Note,
    Family,
}

/// A filter key with a short help text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterKey {
    pub name: &'static str,
    pub help: Phrase,
}

/// All keys in the order in which completion offers them.
pub fn filter_keys() -> impl Iterator<Item = FilterKey> {
    let key = |name, help| FilterKey { name, help };
    let own = move |name, english, korean| key(name, Phrase::new(english, korean));
    let before = [
        own(
            "state",
            "draft, uncertain, accepted, ...",
            "상태: draft, uncertain, accepted 등",
        ),
        own("reason", "why a record is uncertain", "불확실한 사유"),
        own("name", "the item's name", "아이템 이름"),
    ];
    let fields = Field::shared().map(move |(_, filter)| key(filter.key, filter.help));
    let after = [
        own("part", "the item's part or slot", "아이템의 부위나 칸"),
        own("note", "your note", "내가 쓴 메모"),
        own(
            "family",
            "the icons of one drawing, by number",
            "같은 그림의 아이콘, 번호로",
        ),
        own(
            "has",
            "not empty: tags, note, ...",
            "있는 것: tags, note 등",
        ),
        own(
            "none",
            "empty: colors, type, ...",
            "없는 것: colors, type 등",
        ),
    ];
    let counts = Field::ALL.iter().filter_map(move |field| {
        let (english, korean) = ("how many: 0, >5, <3, 2..4", "개수: 0, >5, <3, 2..4");
        Some(own(count_key(*field)?, english, korean))
    });
    let last = [
        own(
            "uncertainty",
            "in percent: >50, <20, 30..70",
            "불확실도(%): >50, <20, 30..70",
        ),
        own(
            "generic",
            "labels like many others: >0.3",
            "남들과 같은 말만 하는 라벨: >0.3",
        ),
        own(
            "source",
            "equipment_shape or cash",
            "equipment_shape 또는 cash",
        ),
        own(
            "judged",
            "in an audit: right, wrong, unsure",
            "표본 검사 판정: right, wrong, unsure",
        ),
        own("view", "a filter that you saved", "저장한 필터"),
    ];
    before
        .into_iter()
        .chain(fields)
        .chain(after)
        .chain(counts)
        .chain(last)
}

/// The field that a key filters by.
pub fn filter_field(key: &str) -> Option<Field> {
    let found = Field::shared().find(|(_, filter)| filter.key == key);
    Some(found?.0)
}

/// The values that `has:` and `none:` accept.
pub fn has_targets() -> impl Iterator<Item = &'static str> {
    let fields = Field::ALL.iter().map(|field| field.name());
    fields.chain(["part", "note", "family"])
}

/// The key that filters by the number of a list's values.
fn count_key(field: Field) -> Option<&'static str> {
    field.is_list().then(|| match field.spec().kind {
        Kind::Words(list) => list.name,
        _ => field.name(),
    })
}

fn target(name: &str) -> Option<HasTarget> {
    match name {
        "part" => return Some(HasTarget::Part),
        "note" => return Some(HasTarget::Note),
        "family" => return Some(HasTarget::Family),
        _ => {}
    }
    let is_named = |field: &&Field| {
        let spec = field.spec();
        let names = [Some(spec.key), Some(field.name()), count_key(**field)];
        let filter = spec.filter.map(|filter| filter.key);
        names
            .into_iter()
            .chain([filter])
            .flatten()
            .any(|have| have == name)
    };
    Field::ALL
        .iter()
        .find(is_named)
        .copied()
        .map(HasTarget::Field)
}

/// Parses a term with a key. `value` must not be empty.
///
/// # Errors
/// Says what is wrong with the term.
pub(super) fn term(key: &str, value: &str, vocabulary: &Vocabulary) -> Result<Test, Said> {
    let value = value.to_lowercase();
    Ok(match key {
        "state" => states(&value)?,
        "reason" => reasons(&value)?,
        "name" => Test::Name(TextTest::new(&value)),
        "part" => Test::Part(TextTest::new(&value)),
        "note" => Test::Note(TextTest::new(&value)),
        "family" => {
            let number = value.trim_start_matches('=').parse();
            Test::Family(number.map_err(|_| {
                said!(
                    "`{value}` is not the number of a family",
                    "`{value}`{은} 계열 번호가 아닙니다"
                )
            })?)
        }
        "has" => Test::Has(known_target(&value)?),
        "source" => {
            let found = [SourceType::EquipmentShape, SourceType::Cash]
                .into_iter()
                .find(|source| source.as_str().starts_with(&value));
            Test::Source(
                found.ok_or_else(|| {
                    said!("no source `{value}`", "`{value}`{이라는} 원본이 없습니다")
                })?,
            )
        }
        "judged" => verdicts(&value)?,
        "uncertainty" => Test::Uncertainty(unit_range(&value)?),
        "generic" => Test::Generic(unit_range(&value)?),
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
            Test::Count(field, count_range(key, &value)?)
        }
    })
}

/// A range of numbers of values, which are never negative.
fn count_range(key: &str, value: &str) -> Result<Range, Said> {
    let refused = || {
        said!(
            "`{value}` is not a number of {key}: 0, >5, <3, 2..4",
            "`{value}`{은} {key}의 개수가 아닙니다: 0, >5, <3, 2..4"
        )
    };
    let range = Range::parse(value, BareNumber::Exactly, refused)?;
    match range.is_within(f32::MAX) {
        true => Ok(range),
        false => Err(refused()),
    }
}

/// A range between 0 and 1, or of percentages: between 0 and 100.
fn unit_range(value: &str) -> Result<Range, Said> {
    let refused = || {
        said!(
            "`{value}` is not a range from 0 to 1 or from 0 to 100 %: >0.5, <20, 30..70",
            "`{value}`{은} 0에서 1까지나 0에서 100 %까지의 범위가 아닙니다: >0.5, <20, 30..70"
        )
    };
    let number = value.replace('%', "");
    let range = Range::parse(&number, BareNumber::AtLeast, refused)?;
    let is_percent = number != value || !range.is_within(1.0);
    let range = match is_percent {
        true => range.percent(),
        false => range,
    };
    match range.is_within(1.0) {
        true => Ok(range),
        false => Err(refused()),
    }
}

/// The error for an unknown key.
pub(super) fn unknown_key(key: &str) -> Said {
    let names: Vec<&str> = filter_keys().map(|key| key.name).collect();
    let names = names.join(", ");
    said!(
        "no key `{key}`; quote a word that contains a colon, or use one of {names}",
        "`{key}`{이라는} 키가 없습니다. 쌍점이 든 단어는 따옴표로 묶거나, 다음 키를 쓰세요: {names}"
    )
}

pub(super) fn known_target(value: &str) -> Result<HasTarget, Said> {
    target(value).ok_or_else(|| {
        let names: Vec<&str> = has_targets().collect();
        let (names, value) = (names.join(", "), quoted(value));
        said!(
            "no field {value}: use one of {names}",
            "{value}{이라는} 칸이 없습니다. 다음 중에서 쓰세요: {names}"
        )
    })
}

fn states(value: &str) -> Result<Test, Said> {
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
            return Err(said!(
                "no state `{part}`",
                "`{part}`{이라는} 상태가 없습니다"
            ));
        }
    }
    Ok(Test::State { any, offered })
}

fn reasons(value: &str) -> Result<Test, Said> {
    let mut any = Vec::new();
    for part in value.split(',').filter(|part| !part.is_empty()) {
        let before = any.len();
        let all = Reason::ALL.iter().copied();
        any.extend(all.filter(|reason| reason.code().contains(part)));
        if any.len() == before {
            return Err(said!(
                "no reason `{part}`",
                "`{part}`{이라는} 사유가 없습니다"
            ));
        }
    }
    Ok(Test::Reason(any))
}

fn verdicts(value: &str) -> Result<Test, Said> {
    let mut any = Vec::new();
    for part in value.split(',').filter(|part| !part.is_empty()) {
        let before = any.len();
        any.extend(VERDICTS.iter().filter(|name| name.starts_with(part)));
        if any.len() == before {
            return Err(said!(
                "no judgment `{part}`: right, wrong or unsure",
                "`{part}`{이라는} 판정이 없습니다: right, wrong, unsure"
            ));
        }
    }
    Ok(Test::Judged(any))
}

/// Whether a record passes. Tests that need more than the record are up to [`super::select`].
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
        Test::Has(HasTarget::Field(field)) => count(*field) > 0,
        Test::Has(HasTarget::Part) => summary.part.is_some(),
        Test::Has(HasTarget::Note) => summary.note.is_some(),
        Test::Has(HasTarget::Family) => summary.family.is_some(),
        Test::Judged(names) => {
            let judged = summary.judged.map(Verdict::name);
            judged.is_some_and(|name| names.contains(&name))
        }
        Test::Uncertainty(range) => range.contains(summary.uncertainty),
        // Records without a draft have no lists to count.
        Test::Count(field, range) => {
            !summary.labels.label_ko().is_empty() && range.contains(count(*field) as f32)
        }
        // These are evaluated by `select`.
        Test::Word(_) | Test::Generic(_) => false,
    }
}
