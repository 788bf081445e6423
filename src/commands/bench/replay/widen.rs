//! Widens the grammar to answers that the real one rejects: records of other programs may have
//! fewer tags, or only the name as label.

use crate::error::{Context, ErrorKind, Result};
use crate::labeler::constraint::GrammarCompiler;
use crate::record::{AnswerForm, Field};
use serde_json::{Value, json};
use std::sync::Arc;

/// Whether an answer conforms to the schema.
pub fn allows(schema: &Arc<Value>, answer: &str) -> Result<bool> {
    let mut grammar = GrammarCompiler::for_checking()?.compile(schema)?;
    let mut bytes = answer.bytes();
    Ok(bytes.all(|byte| grammar.advance(byte.into()).is_ok()) && grammar.is_finished())
}

/// The fields of an answer that the schema rejects.
pub fn rejected_fields(schema: &Value, answer: &str) -> Result<Vec<String>> {
    let task = "reading an answer that was just written";
    let answer: Value = serde_json::from_str(answer).context(ErrorKind::Internal, task)?;
    let mut fields = Vec::new();
    collect(schema, &answer, "", &mut fields)?;
    Ok(fields)
}

fn collect(schema: &Value, answer: &Value, name: &str, fields: &mut Vec<String>) -> Result<()> {
    match (answer, schema.get("properties"), schema.get("prefixItems")) {
        (Value::Object(parts), Some(properties), _) => {
            for (key, part) in parts {
                collect(&properties[key], part, key, fields)?;
            }
        }
        (Value::Array(texts), _, Some(places)) => {
            let names = AnswerForm::places().map(|place| place.map_or("reasons", Field::key));
            for ((index, text), name) in texts.iter().enumerate().zip(names) {
                collect(&places[index], text, name, fields)?;
            }
        }
        _ if allows(&Arc::new(schema.clone()), &answer.to_string())? => {}
        _ => fields.push(name.to_owned()),
    }
    Ok(())
}

/// Extends the schema so that it also allows this answer.
pub fn widened(schema: &Value, answer: &str) -> Result<Value> {
    let task = "reading an answer that was just written";
    let answer: Value = serde_json::from_str(answer).context(ErrorKind::Internal, task)?;
    let mut schema = schema.clone();
    widen(&mut schema, &answer);
    Ok(schema)
}

fn widen(schema: &mut Value, answer: &Value) {
    match answer {
        Value::Object(fields) => {
            let known = schema.get_mut("properties").into_iter();
            for properties in known.filter_map(Value::as_object_mut) {
                for (key, answer) in fields {
                    if let Some(schema) = properties.get_mut(key) {
                        widen(schema, answer);
                    }
                }
            }
        }
        Value::Array(values) => {
            if let Some(texts) = schema.get_mut("prefixItems").and_then(Value::as_array_mut) {
                for (schema, answer) in texts.iter_mut().zip(values) {
                    widen(schema, answer);
                }
                return;
            }
            let count = values.len() as u64;
            let bound = |schema: &Value, key: &str| schema.get(key).and_then(Value::as_u64);
            if bound(schema, "minItems").is_some_and(|least| least > count) {
                schema["minItems"] = json!(count);
            } else if bound(schema, "maxItems").is_some_and(|most| most < count) {
                schema["maxItems"] = json!(count);
            }
            if let Some(items) = schema.get_mut("items") {
                for value in values {
                    widen(items, value);
                }
            }
        }
        Value::String(text) => {
            if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                if !words.contains(answer) {
                    words.push(answer.clone());
                }
            } else if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
                let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
                schema["pattern"] = json!(format!("^(({pattern})|{})$", escaped(text)));
            }
        }
        Value::Null if schema.get("type").is_some_and(|kind| kind != "null") => {
            *schema = json!({"anyOf": [schema.take(), {"type": "null"}]});
        }
        // `is_uncertain` already allows both values.
        _ => {}
    }
}

/// Escapes a text for use in a regular expression.
fn escaped(text: &str) -> String {
    let escaped = text.chars().flat_map(|c| {
        let special = r"\.+*?()|[]{}^$".contains(c);
        special.then_some('\\').into_iter().chain([c])
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Lang, schema};
    use crate::record::{Labels, Vocabulary};

    #[test]
    fn a_widened_schema_allows_records_of_other_programs_in_either_form() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let name = "별빛 (모자)";
        let valid = Labels::default()
            .with(Field::LabelKo, ["붉은 리본이 달린 별빛 (모자)"])
            .with(Field::TagsKo, ["모자", "별", "빨강", "리본", "천"])
            .with(Field::ItemTypeGuess, ["hat"])
            .with(
                Field::QueryVariantsKo,
                ["빨간 모자", "별 모자", "리본 모자"],
            );
        let odd = valid
            .clone()
            .with(Field::LabelKo, [name])
            .with(Field::TagsKo, ["Hat!"])
            .with(Field::Colors, ["mauve-ish"])
            .with(Field::ItemTypeGuess, None::<String>);
        for form in [AnswerForm::Record, AnswerForm::Values] {
            let schema = schema(form, &vocabulary, Lang::Ko, Some(name), None, false);
            let schema = Arc::new(schema);
            assert!(allows(&schema, &form.write(&valid)).unwrap(), "{form:?}");
            let text = form.write(&odd);
            assert!(!allows(&schema, &text).unwrap());
            assert!(
                rejected_fields(&schema, &form.write(&valid))
                    .unwrap()
                    .is_empty()
            );
            let mut fields = rejected_fields(&schema, &text).unwrap();
            fields.sort();
            assert_eq!(fields, ["colors", "item_type_guess", "label_ko", "tags_ko"]);
            let wide = Arc::new(widened(&schema, &text).unwrap());
            assert!(allows(&wide, &text).unwrap(), "{text}");
            assert!(allows(&wide, &form.write(&valid)).unwrap());
            assert!(!allows(&wide, &text.replace("Hat!", "Cap!")).unwrap());
        }
    }
}
