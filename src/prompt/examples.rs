//! Formats committed records as examples in the prompt.

use crate::record::{AnswerForm, ApprovedRecord, Field};
use crate::text::clean_text;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const HEADING: &str = "Labels that people have approved for other icons like this one. Follow their \
                       style; name only what is in this icon:";
/// Values shown per list. More would not show anything new about the style.
const MAX_VALUES: usize = 5;

/// Builds the text: a heading, then each example as one line of JSON in the answer form. `None`
/// without examples.
pub fn text(
    examples: &[Arc<ApprovedRecord>],
    with_names: bool,
    form: AnswerForm,
) -> Option<String> {
    if examples.is_empty() {
        return None;
    }
    let lines = examples.iter().map(|example| match form {
        AnswerForm::Record => record_line(example, with_names),
        AnswerForm::Values => values_line(example, with_names),
    });
    let lines: Vec<String> = std::iter::once(HEADING.to_owned()).chain(lines).collect();
    Some(lines.join("\n"))
}

fn record_line(example: &ApprovedRecord, with_name: bool) -> String {
    let mut answer = Map::new();
    if with_name {
        answer.insert("name".to_owned(), json!(clean_text(&example.item_name)));
    }
    for (object, fields) in Field::by_object() {
        let entries = fields.iter().filter_map(|field| {
            let values = example.labels.values(*field);
            let value = match (field.is_list(), values) {
                (_, []) => return None,
                (false, [value, ..]) => json!(value),
                (true, values) => json!(&values[..values.len().min(MAX_VALUES)]),
            };
            Some((field.key().to_owned(), value))
        });
        match object {
            Some(object) => {
                answer.insert(object.to_owned(), Value::Object(entries.collect()));
            }
            None => answer.extend(entries),
        }
    }
    Value::Object(answer).to_string()
}

/// Puts the name before the array.
fn values_line(example: &ApprovedRecord, with_name: bool) -> String {
    let mut labels = example.labels.clone();
    for &field in Field::ALL {
        let values = labels.values(field).iter().take(MAX_VALUES).cloned();
        let values: Vec<String> = values.collect();
        labels.set(field, values);
    }
    labels.model_reasons.clear();
    let answer = AnswerForm::Values.write(&labels);
    match with_name {
        true => format!("{}: {answer}", clean_text(&example.item_name)),
        false => answer,
    }
}
