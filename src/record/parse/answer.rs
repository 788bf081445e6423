//! The forms of an answer: an object with the keys of a record, or an array of values.

use super::reader::{Node, Text};
use crate::record::{Field, Labels};
use crate::text::Language;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The key of the reasons that the model reports.
pub(super) const REASONS: &str = "reasons";

/// The JSON form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// A JSON object with the keys of a record.
    #[default]
    Record,
    /// A JSON array of strings in the order of [`AnswerForm::places`], where lists are
    /// comma-separated. Saves a third of the tokens.
    Values,
}

impl AnswerForm {
    /// The fields in the order of the array; `None` stands for the model's reasons. English fields
    /// come last and are only present if requested.
    pub fn places() -> impl Iterator<Item = Option<Field>> {
        let all = || Field::ALL.iter().copied();
        let english = |field: &Field| field.language() == Some(Language::English);
        let korean = all().filter(move |field| !english(field)).map(Some);
        korean.chain([None]).chain(all().filter(english).map(Some))
    }

    /// Writes labels as an answer.
    pub fn write(self, labels: &Labels) -> String {
        let reasons = labels.model_reasons.iter();
        let reasons: Vec<&str> = reasons.map(|reason| reason.code()).collect();
        match self {
            Self::Record => json!(RecordAnswer {
                labels,
                quality_flags: json!({"is_uncertain": !reasons.is_empty(), REASONS: reasons}),
            })
            .to_string(),
            Self::Values => {
                let present = Self::places().filter(|place| match place {
                    Some(field) if field.language() == Some(Language::English) => {
                        labels.text(*field).is_some()
                    }
                    _ => true,
                });
                let texts = present.map(|place| match place {
                    Some(field) => labels.values(field).join(","),
                    None => reasons.join(","),
                });
                json!(texts.collect::<Vec<_>>()).to_string()
            }
        }
    }
}

/// An answer in the form of a record.
#[derive(Serialize)]
struct RecordAnswer<'a> {
    #[serde(flatten, serialize_with = "serialize_fields")]
    labels: &'a Labels,
    quality_flags: Value,
}

fn serialize_fields<S: serde::Serializer>(labels: &&Labels, to: S) -> Result<S::Ok, S::Error> {
    labels.serialize_fields(to)
}

/// Converts an array of values to an object with the keys of a record. `text` is the answer.
/// `None` if the array is not a valid answer.
pub(super) fn keyed(nodes: Vec<Node>, cut: bool, text: &str) -> Option<Node> {
    let whole = AnswerForm::places().take_while(Option::is_some).count();
    if !matches!(nodes.first(), Some(Node::Text(_))) || (nodes.len() < whole && !cut) {
        return None;
    }
    let places = AnswerForm::places().zip(nodes);
    let entries = places.map(|(place, node)| {
        let key = place.map_or(REASONS, Field::key).to_owned();
        let node = match (place, node) {
            (Some(field), Node::Text(text)) if !field.is_list() && text.value.is_empty() => {
                Node::Null
            }
            (Some(field), node) if !field.is_list() => node,
            (_, Node::Text(list)) => Node::List(split(&list, text)),
            (_, node) => node,
        };
        (key, node)
    });
    Some(Node::Map(entries.collect()))
}

/// Splits a comma-separated list into values.
fn split(list: &Text, text: &str) -> Vec<Node> {
    let source = &text[list.span.clone()];
    let as_written = source == list.value;
    let mut at = list.span.start;
    let mut values: Vec<Text> = Vec::new();
    for part in list.value.split(',') {
        let value = part.trim();
        let start = at + (part.len() - part.trim_start().len());
        values.push(Text {
            value: value.to_owned(),
            // Escapes make the exact position unknown.
            span: match as_written {
                true => start..start + value.len(),
                false => list.span.clone(),
            },
            whole: true,
        });
        at += part.len() + 1;
    }
    if let Some(last) = values.last_mut() {
        last.whole = list.whole;
    }
    values.retain(|value| !value.value.is_empty());
    values.into_iter().map(Node::Text).collect()
}
