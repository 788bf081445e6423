//! Committed records as short examples in the question about another icon.

use crate::record::{AnswerForm, ApprovedRecord, Field};
use crate::text::clean_text;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const HEADING: &str = "Labels that people have approved for other icons like this one. Follow their \
                       style; name only what is in this icon:";
/// More values of a list would say nothing new of the style.
const MOST_VALUES: usize = 5;

/// The heading, and each example as one line of JSON in the form of an answer; `None` without any.
pub fn text(
    examples: &[Arc<ApprovedRecord>],
    with_names: bool,
    form: AnswerForm,
) -> Option<String> {
    if examples.is_empty() {
        return None;
    }
    let lines = examples.iter().map(|example| match form {
        AnswerForm::Record => line(example, with_names),
        AnswerForm::Values => values(example, with_names),
    });
    let lines: Vec<String> = std::iter::once(HEADING.to_owned()).chain(lines).collect();
    Some(lines.join("\n"))
}

fn line(example: &ApprovedRecord, with_name: bool) -> String {
    let mut answer = Map::new();
    if with_name {
        answer.insert("name".to_owned(), json!(clean_text(&example.item_name)));
    }
    for (object, fields) in Field::by_object() {
        let held = fields.iter().filter_map(|field| {
            let values = example.labels.values(*field);
            let value = match (field.is_list(), values) {
                (_, []) => return None,
                (false, [value, ..]) => json!(value),
                (true, values) => json!(&values[..values.len().min(MOST_VALUES)]),
            };
            Some((field.key().to_owned(), value))
        });
        match object {
            Some(object) => {
                answer.insert(object.to_owned(), Value::Object(held.collect()));
            }
            None => answer.extend(held),
        }
    }
    Value::Object(answer).to_string()
}

/// The name before the array.
fn values(example: &ApprovedRecord, with_name: bool) -> String {
    let mut labels = example.labels.clone();
    for &field in Field::ALL {
        let values = labels.values(field).iter().take(MOST_VALUES).cloned();
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
